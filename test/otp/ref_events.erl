%% The one collector that every scripted process reports to, and the registry of who is who.
%%
%% Order: erl runs with one scheduler, where a signal is in its receiver's queue before anybody else runs, so the
%% collector's queue is the order of what happened. A start is reported synchronously: the process is monitored before
%% it goes on, so no end is missed. An end is seen by monitor, whatever killed the process.
-module(ref_events).
-export([open/0, reset/0, attempt/1, born/3, up/1, note/1, hangs/0, take/0]).
-export([where/1, who/1, living/0, is_waiting/0, define/2, definition/2, next_number/1]).

-define(TABLES, [ref_attempts, ref_current, ref_pids, ref_up, ref_hangs, ref_definitions, ref_numbers]).

open() ->
    [ets:new(Table, [named_table, public]) || Table <- ?TABLES],
    register(?MODULE, spawn_opt(fun() -> loop([], #{}) end, [{priority, high}])),
    ok.

reset() ->
    [ets:delete_all_objects(Table) || Table <- ?TABLES],
    _ = take(),
    ok.

%% The number of this start attempt of a path, over the whole case.
attempt(Path) -> ets:update_counter(ref_attempts, Path, 1, {Path, 0}).

%% The calling process reports that it runs as attempt N of Path.
born(Path, N, Kind) ->
    ets:insert(ref_pids, {self(), Path, N, Kind}),
    ets:insert(ref_current, {Path, self()}),
    ask({born, [<<"start">>, Path, N]}).

%% From here on the end of this process is an event (a supervisor whose start fails never was up).
up(Pid) -> ets:insert(ref_up, {Pid}).

note(Event) -> ?MODULE ! {note, Event}, ok.

%% The calling process is about to hang in its hook until somebody kills it.
hangs() -> ets:insert(ref_hangs, {self()}).

%% The events since the last time, oldest first.
take() -> ask(take).

where(Path) ->
    case ets:lookup(ref_current, Path) of
        [{_, Pid}] -> case is_process_alive(Pid) of true -> Pid; false -> gone end;
        [] -> gone
    end.

who(Pid) ->
    [{_, Path, N, Kind}] = ets:lookup(ref_pids, Pid),
    {Path, N, Kind}.

living() -> [Pid || {Pid, _, _, _} <- ets:tab2list(ref_pids), is_process_alive(Pid)].

%% Somebody hangs, so that a shutdown time runs.
is_waiting() -> lists:any(fun({Pid}) -> is_process_alive(Pid) end, ets:tab2list(ref_hangs)).

define(Path, Definition) -> ets:insert(ref_definitions, {Path, Definition}).

definition(Path, Default) ->
    case ets:lookup(ref_definitions, Path) of
        [{_, Definition}] when Definition =/= none -> Definition;
        _ -> Default
    end.

next_number(Path) -> ets:update_counter(ref_numbers, Path, 1, {Path, 0}).

ask(Question) ->
    Monitor = monitor(process, ?MODULE),
    ?MODULE ! {ask, self(), Monitor, Question},
    receive
        {Monitor, Answer} -> demonitor(Monitor, [flush]), Answer;
        {'DOWN', Monitor, process, _, Reason} -> exit(Reason)
    end.

loop(Events, Monitors) ->
    receive
        {ask, From, Tag, {born, Event}} ->
            Monitor = monitor(process, From),
            From ! {Tag, ok},
            [_, Path, N] = Event,
            loop([Event | Events], Monitors#{Monitor => {Path, N}});
        {ask, From, Tag, take} ->
            From ! {Tag, lists:reverse(Events)},
            loop([], Monitors);
        {note, Event} ->
            loop([Event | Events], Monitors);
        {'DOWN', Monitor, process, Pid, Reason} ->
            {{Path, N}, Monitors1} = maps:take(Monitor, Monitors),
            case ets:member(ref_up, Pid) of
                true -> loop([[<<"down">>, Path, N, ref_text:reason(Reason)] | Events], Monitors1);
                false -> loop(Events, Monitors1)
            end
    end.
