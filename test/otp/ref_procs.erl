%% Runs one case of kind "procs": plain processes with links, monitors, trapped exits and names.
%%
%% Every action is done by the process it names, through the real functions of the runtime system; a process answers
%% after it has done it, unless the action ended it. What arrives at it (exits it traps, monitors that fired) is kept,
%% in order, until somebody asks for its messages. No process here is linked to this one.
-module(ref_procs).
-export([steps/1]).

-define(NAME, "ref_name_").

steps(#{<<"when">> := Actions}) ->
    ets:new(ref_ids, [named_table, public]), % {Id, Pid} and {Pid, Id}
    Steps = [step(<<"start">>, <<"ok">>) | [act(Action) || Action <- Actions]],
    ref_tree:sweep(),
    Steps.

act(#{<<"op">> := Op} = Action) ->
    Result = do(Op, Action),
    ref_tree:settle(),
    step(Op, Result).

step(Op, Result) ->
    Events = ref_events:take(),
    #{<<"op">> => Op, <<"result">> => Result, <<"events">> => Events,
      <<"tree">> => []}.

do(<<"spawn">>, #{<<"id">> := Id} = Action) ->
    Traps = maps:get(<<"trap">>, Action, false),
    case maps:get(<<"link">>, Action, null) of
        Linker when is_binary(Linker) -> by(Linker, fun(State) -> spawn_link_process(Id, Traps), {ok, State} end);
        _ -> spawn_process(Id, Traps)
    end;
do(<<"trap">>, #{<<"id">> := Id, <<"value">> := Value}) ->
    by(Id, fun(State) -> process_flag(trap_exit, Value), {ok, State} end);
do(<<"link">>, #{<<"from">> := From, <<"to">> := To}) ->
    by(From, fun(State) -> link(pid(To)), {ok, State} end);
do(<<"unlink">>, #{<<"from">> := From, <<"to">> := To}) ->
    by(From, fun(State) -> unlink(pid(To)), {ok, State} end);
do(<<"monitor">>, #{<<"from">> := From, <<"to">> := To, <<"ref">> := Ref}) ->
    by(From, fun(State) -> {ok, State#{monitor(process, pid(To)) => Ref}} end);
do(<<"demonitor">>, #{<<"from">> := From, <<"ref">> := Ref}) ->
    by(From, fun(State) -> [demonitor(Monitor) || {Monitor, Known} <- maps:to_list(State), Known =:= Ref], {ok, State} end);
do(<<"signal">>, #{<<"from">> := From, <<"to">> := To, <<"reason">> := Reason}) ->
    by(From, fun(State) -> exit(pid(To), ref_text:parse_reason(Reason)), {ok, State} end);
do(<<"exit">>, #{<<"id">> := Id, <<"reason">> := Reason}) ->
    by(Id, fun(_) -> exit(ref_text:parse_reason(Reason)) end);
do(<<"messages">>, #{<<"id">> := Id}) ->
    by(Id, fun(#{inbox := Inbox} = State) -> {lists:reverse(Inbox), State#{inbox => []}} end);
do(<<"register">>, #{<<"name">> := Name, <<"id">> := Id}) ->
    try register(name(Name), pid(Id)) of true -> <<"ok">> catch error:badarg -> <<"error:badarg">> end;
do(<<"unregister">>, #{<<"name">> := Name}) ->
    try unregister(name(Name)) of true -> <<"ok">> catch error:badarg -> <<"error:badarg">> end;
do(<<"whereis">>, #{<<"name">> := Name}) ->
    case whereis(name(Name)) of undefined -> <<"undefined">>; Pid -> id(Pid) end.

name(Name) -> binary_to_atom(<<?NAME, Name/binary>>).

pid(Id) ->
    case ets:lookup(ref_ids, Id) of
        [{_, Pid}] -> Pid;
        [] -> nobody()
    end.

%% A process that is dead: whoever was never spawned.
nobody() ->
    {Pid, Monitor} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Monitor, process, Pid, _} -> Pid end.

id(Pid) ->
    case ets:lookup(ref_ids, Pid) of
        [{_, Id}] -> Id;
        [] -> <<"stranger">>
    end.

spawn_process(Id, Traps) ->
    known(spawn(fun() -> born(Id, Traps) end)).

%% Done by the process that will be linked.
spawn_link_process(Id, Traps) ->
    known(spawn_link(fun() -> born(Id, Traps) end)).

known(Pid) ->
    Monitor = monitor(process, Pid),
    Pid ! {ready, self(), Monitor},
    receive {Monitor, ok} -> demonitor(Monitor, [flush]), <<"ok">> end.

born(Id, Traps) ->
    process_flag(trap_exit, Traps),
    ets:insert(ref_ids, [{Id, self()}, {self(), Id}]),
    ref_events:up(self()),
    ref_events:born(Id, ref_events:attempt(Id), worker),
    receive {ready, From, Tag} -> From ! {Tag, ok} end,
    live(#{inbox => []}).

live(#{inbox := Inbox} = State) ->
    receive
        {do, From, Tag, Fun} ->
            {Answer, State1} = Fun(State),
            From ! {Tag, Answer},
            live(State1);
        {'EXIT', Pid, Reason} ->
            live(State#{inbox => [[<<"EXIT">>, id(Pid), ref_text:reason(Reason)] | Inbox]});
        {'DOWN', Monitor, process, Pid, Reason} ->
            #{Monitor := Ref} = State,
            live(State#{inbox => [[<<"DOWN">>, Ref, id(Pid), ref_text:reason(Reason)] | Inbox]})
    end.

%% Done by the process itself: its answer, or `ok` where it ended in doing it.
by(Id, Fun) ->
    Pid = pid(Id),
    Monitor = monitor(process, Pid),
    Pid ! {do, self(), Monitor, Fun},
    receive
        {Monitor, Answer} -> demonitor(Monitor, [flush]), Answer;
        {'DOWN', Monitor, process, Pid, noproc} -> <<"noproc">>;
        {'DOWN', Monitor, process, Pid, _} -> <<"ok">>
    end.
