%% One long-lived reference: cases come in as external terms in packets of standard input, traces leave as JSON.
%%
%%   node  -- <<Length:32>> <<term>> -->  port {fd,0,1}  -->  one process per case  -->  <<Length:32>> <<json>> --> node
-module(ref_main).
-export([start/0]).

start() ->
    logger:set_primary_config(level, none), % the supervisors report each restart; nobody reads it here
    ref_clock:open(),
    ref_clock:load(supervisor),
    HasDynamic = case code:which('Elixir.DynamicSupervisor') of
        non_existing -> false;
        _ -> ref_clock:load('Elixir.DynamicSupervisor'), true
    end,
    [warm(Module) || Module <- modules(HasDynamic)],
    ref_events:open(),
    Port = open_port({fd, 0, 1}, [{packet, 4}, binary, eof]),
    send(Port, #{otp => list_to_binary(erlang:system_info(otp_release)), dynamic => HasDynamic}),
    serve(Port).

serve(Port) ->
    receive
        {Port, {data, Packet}} ->
            #{<<"id">> := Id} = Case = binary_to_term(Packet),
            send(Port, answer(Id, run(Case))),
            serve(Port);
        {Port, eof} ->
            erlang:halt(0)
    end.

answer(Id, {steps, Steps}) -> #{id => Id, steps => Steps};
answer(Id, Failure) -> #{id => Id, failure => iolist_to_binary(io_lib:format("~0p", [Failure]))}.

send(Port, Value) -> port_command(Port, ref_text:json(Value)).

%% Loads the code of a module, and has the logger remember that it logs nothing: both wait for something that is not a
%% process, and while a process waits for that nobody is active, which would look like "quiet".
warm(Module) ->
    {module, Module} = code:ensure_loaded(Module),
    [false = logger:allow(Level, Module) || Level <- [error, info]].

modules(HasDynamic) ->
    [ref_child, ref_events, ref_procs, ref_text, ref_tree, supervisor, gen, gen_server, sys, proc_lib, lists, maps, proplists, binary,
     ets, io_lib, io_lib_format, io_lib_pretty, logger, logger_config, error_logger, sets, string, unicode, erl_scan]
        ++ case HasDynamic of
               true -> ['Elixir.Access', 'Elixir.DynamicSupervisor', 'Elixir.Enum', 'Elixir.GenServer', 'Elixir.Keyword', 'Elixir.Map',
                        'Elixir.Process', 'Elixir.Supervisor'];
               false -> []
           end.

%% A case during which code was loaded after all says nothing (see warm/1); it is run again, with the code at hand.
run(Case) ->
    Loaded = length(erlang:loaded()),
    Result = run_once(Case),
    case length(erlang:loaded()) of
        Loaded -> Result;
        _ -> run(Case)
    end.

run_once(#{<<"kind">> := Kind} = Case) ->
    ref_events:reset(),
    {_, Monitor} = spawn_monitor(fun() -> exit({steps, (module(Kind)):steps(Case)}) end),
    receive {'DOWN', Monitor, process, _, Result} -> Result end.

module(<<"tree">>) -> ref_tree;
module(<<"procs">>) -> ref_procs.
