%% Runs one case of kind "tree" on the real supervisors, and gives its steps.
%%
%% The process that runs this is the parent of the root. A step ends when everything is quiet. erl runs with one
%% scheduler, so "quiet" is exact: this process is the only one that is active (on any scheduler, dirty ones included),
%% and nobody hangs in a hook while a shutdown time runs (that is the only timer there is).
-module(ref_tree).
-export([steps/1, settle/0, sweep/0]).

-define(STUCK_MS, 30000).

steps(#{<<"given">> := #{<<"supervisor">> := Given}, <<"when">> := Actions}) ->
    process_flag(trap_exit, true),
    ref_clock:set(0),
    #{<<"id">> := Root} = Given,
    Script = Given#{<<"type">> => <<"supervisor">>},
    Result = case catch ref_child:start(Root, Script) of
        {ok, _} -> <<"ok">>;
        ignore -> <<"ignored">>;
        {error, Error} -> ref_text:error(Error);
        {'EXIT', _} -> <<"error:start_failed">>
    end,
    settle(),
    Steps = [step(<<"start">>, Result, Root) | [act(Action, Root) || Action <- Actions]],
    sweep(),
    Steps.

act(#{<<"op">> := Op} = Action, Root) ->
    Pending = begin_action(Action, Root),
    settle(),
    Result = finish(Pending),
    step(Op, Result, Root).

step(Op, Result, Root) ->
    Events = ref_events:take(),
    Tree = case ref_events:where(Root) of
        gone -> [[Root, <<"down">>]];
        Pid -> tree(Pid)
    end,
    #{<<"op">> => Op, <<"result">> => Result, <<"events">> => Events, <<"tree">> => Tree}.

%% Ends whatever is left of the case.
sweep() ->
    case ref_events:living() of
        [] ->
            settle();
        Pids ->
            %% Whoever still lives may start others meanwhile, or hang: again, until nobody is left.
            [begin
                 Monitor = monitor(process, Pid),
                 exit(Pid, kill),
                 receive {'DOWN', Monitor, process, Pid, _} -> ok end
             end || Pid <- Pids],
            erlang:yield(),
            sweep()
    end.

%% ---- quiet ----

settle() -> settle(erlang:monotonic_time(millisecond) + ?STUCK_MS).

settle(Deadline) ->
    erlang:yield(),
    case erlang:statistics(total_active_tasks_all) of
        1 ->
            case ref_events:is_waiting() of
                false -> ok;
                true ->
                    erlang:monotonic_time(millisecond) < Deadline orelse exit(stuck),
                    receive after 1 -> settle(Deadline) end
            end;
        _ -> settle(Deadline)
    end.

%% ---- actions: begun, and answered when all is quiet ----

begin_action(#{<<"op">> := <<"batch">>, <<"ops">> := Ops}, Root) ->
    case ref_events:where(batch_supervisor(Ops, Root)) of
        gone -> {batch, [begin_settled(Op, Root) || Op <- Ops]};
        Pid ->
            %% Exact: a suspended process receives signals and messages in order, and handles none.
            true = erlang:suspend_process(Pid),
            Pending = [begin_settled(Op, Root) || Op <- Ops],
            catch erlang:resume_process(Pid),
            {batch, Pending}
    end;
begin_action(#{<<"op">> := <<"advance">>, <<"ms">> := Ms}, _) ->
    ref_clock:advance(Ms),
    {done, <<"ok">>};
begin_action(#{<<"op">> := <<"stop">>}, Root) ->
    signal(Root, shutdown);
begin_action(#{<<"op">> := <<"crash">>, <<"target">> := Target, <<"reason">> := Reason}, _) ->
    case ref_events:where(Target) of
        gone -> {done, <<"noproc">>};
        Pid ->
            Message = case ref_events:who(Pid) of
                {_, _, worker} -> {crash, ref_text:parse_reason(Reason)};
                _ -> {system, {self(), make_ref()}, {terminate, ref_text:parse_reason(Reason)}}
            end,
            Pid ! Message,
            {done, <<"ok">>}
    end;
begin_action(#{<<"op">> := <<"kill">>, <<"target">> := Target}, _) ->
    signal(Target, kill);
begin_action(#{<<"op">> := <<"signal">>, <<"target">> := Target, <<"reason">> := Reason}, _) ->
    Parent = self(),
    Stranger = spawn(fun() -> receive go -> Parent ! {self(), signal(Target, ref_text:parse_reason(Reason))} end end),
    Stranger ! go,
    receive {Stranger, Done} -> Done end;
begin_action(#{<<"op">> := <<"check_childspecs">>, <<"specs">> := Specs} = Action, Root) ->
    Compiled = case Specs of
        [_ | _] -> [ref_child:spec(Root, Spec) || Spec <- Specs];
        _ -> Specs
    end,
    Answer = case Action of
        #{<<"auto_shutdown">> := Auto} -> supervisor:check_childspecs(Compiled, ref_child:atom(Auto));
        _ -> supervisor:check_childspecs(Compiled)
    end,
    {done, case Answer of ok -> <<"ok">>; {error, Error} -> ref_text:error(Error) end};
begin_action(#{<<"sup">> := Path} = Action, _) ->
    case ref_events:where(Path) of
        gone -> {done, <<"noproc">>};
        Pid ->
            case ref_events:who(Pid) of
                {_, _, worker} -> {done, <<"noproc">>};
                _ -> begin_call(Action, Path, Pid)
            end
    end.

begin_settled(Op, Root) ->
    Pending = begin_action(Op, Root),
    settle(),
    Pending.

%% The supervisor whose mailbox a batch fills: the one it calls, else the parent of the first target.
batch_supervisor(Ops, Root) ->
    case [Path || #{<<"sup">> := Path} <- Ops] ++ [parent(Target) || #{<<"target">> := Target} <- Ops] of
        [Path | _] -> Path;
        [] -> Root
    end.

parent(Path) ->
    Segments = binary:split(Path, <<"/">>, [global]),
    iolist_to_binary(lists:join($/, lists:droplast(Segments))).

signal(Path, Reason) ->
    case ref_events:where(Path) of
        gone -> {done, <<"noproc">>};
        Pid -> exit(Pid, Reason), {done, <<"ok">>}
    end.

finish({done, Result}) -> Result;
finish({batch, Pending}) -> [finish(One) || One <- Pending];
finish({call, Monitor, Read}) ->
    receive
        {'DOWN', Monitor, process, _, {answer, Answer}} -> Read(Answer);
        {'DOWN', Monitor, process, _, _} -> <<"noproc">>
    after 0 -> <<"no answer">>
    end.

%% ---- calls ----

%% Each call is made by a process of its own through the public interface.
call(Call, Read) ->
    {_, Monitor} = spawn_monitor(fun() -> exit({answer, Call()}) end),
    {call, Monitor, Read}.

begin_call(#{<<"op">> := <<"start_child">>, <<"spec">> := Script} = Action, Path, Pid) ->
    case module_of(Pid) of
        supervisor ->
            Spec = ref_child:spec(Path, Script),
            call(fun() -> supervisor:start_child(Pid, Spec) end, fun start_child_answer/1);
        _ ->
            begin_call(Action#{<<"op">> := <<"start_dynamic">>}, Path, Pid)
    end;
begin_call(#{<<"op">> := <<"terminate_child">>, <<"id">> := Id}, _, Pid) ->
    call(fun() -> supervisor:terminate_child(Pid, Id) end, fun answer/1);
begin_call(#{<<"op">> := <<"restart_child">>, <<"id">> := Id}, _, Pid) ->
    call(fun() -> supervisor:restart_child(Pid, Id) end, fun restart_answer/1);
begin_call(#{<<"op">> := <<"delete_child">>, <<"id">> := Id}, _, Pid) ->
    call(fun() -> supervisor:delete_child(Pid, Id) end, fun answer/1);
begin_call(#{<<"op">> := <<"get_childspec">>, <<"id">> := Id}, _, Pid) ->
    call(fun() -> supervisor:get_childspec(Pid, Id) end, fun answer/1);
begin_call(#{<<"op">> := <<"count_children">>}, _, Pid) ->
    call(fun() -> supervisor:count_children(Pid) end, fun counts/1);
begin_call(#{<<"op">> := <<"which_children">>}, _, Pid) ->
    call(fun() -> supervisor:which_children(Pid) end, fun which_answer/1);
begin_call(#{<<"op">> := <<"start_dynamic">>, <<"spec">> := Script}, Path, Pid) ->
    Number = ref_events:next_number(Path),
    case module_of(Pid) of
        supervisor ->
            call(fun() -> supervisor:start_child(Pid, [Number, Script]) end, fun start_number_answer/1);
        Dynamic ->
            Id = integer_to_binary(Number),
            Spec = ref_child:spec(Path, Script#{<<"id">> => Id}),
            call(fun() -> Dynamic:start_child(Pid, Spec) end, fun start_dynamic_answer/1)
    end;
begin_call(#{<<"op">> := <<"terminate_dynamic">>, <<"n">> := Number}, Path, Pid) ->
    Child = <<Path/binary, $/, (integer_to_binary(Number))/binary>>,
    case ets:lookup(ref_current, Child) of
        [] -> {done, <<"error:not_found">>};
        [{_, ChildPid}] -> call(fun() -> supervisor:terminate_child(Pid, ChildPid) end, fun answer/1)
    end;
begin_call(#{<<"op">> := <<"upgrade">>, <<"supervisor">> := Script}, Path, Pid) ->
    Before = ref_events:definition(Path, none),
    ref_events:define(Path, Script#{<<"type">> => <<"supervisor">>}),
    call(
      fun() ->
              ok = sys:suspend(Pid),
              Changed = sys:change_code(Pid, supervisor, undefined, []),
              ok = sys:resume(Pid),
              Changed =:= ok orelse ref_events:define(Path, Before),
              Changed
      end,
      fun answer/1).

%% The module that runs this supervisor: `supervisor` or 'Elixir.DynamicSupervisor'.
module_of(Pid) -> element(3, ref_events:who(Pid)).

answer(ok) -> <<"ok">>;
answer({ok, Spec}) -> maps:with([id, restart, significant, shutdown, type], Spec);
answer({error, Error}) -> ref_text:error(Error).

start_child_answer({ok, undefined}) -> <<"ignored">>;
start_child_answer({ok, _}) -> <<"ok">>;
start_child_answer({error, {_, Child}}) when element(1, Child) =:= child -> <<"error:start_failed">>;
start_child_answer({error, Error}) -> ref_text:error(Error).

restart_answer({ok, undefined}) -> <<"ignored">>;
restart_answer({ok, _}) -> <<"ok">>;
restart_answer({error, Error})
  when Error =:= running; Error =:= restarting; Error =:= not_found; Error =:= simple_one_for_one ->
    ref_text:error(Error);
restart_answer({error, _}) -> <<"error:start_failed">>.

%% A supervisor with ids of its own takes no number for a spec.
start_number_answer({error, {invalid_child_spec, _}}) -> <<"error:invalid_child_spec">>;
start_number_answer(Answer) -> restart_answer(Answer).

start_dynamic_answer(ignore) -> <<"ignored">>;
start_dynamic_answer({ok, _}) -> <<"ok">>;
start_dynamic_answer({error, max_children}) -> <<"error:max_children">>;
start_dynamic_answer({error, {Kind, Value}})
  when Kind =:= invalid_restart_type; Kind =:= invalid_shutdown; Kind =:= invalid_child_type ->
    ref_text:error({Kind, Value});
start_dynamic_answer({error, _}) -> <<"error:start_failed">>.

counts(Counts) -> [proplists:get_value(Key, Counts) || Key <- [specs, active, supervisors, workers]].

%% A child without an id of its own is named by its number while it has a process.
which_answer(Children) -> [[name(Id, Child), status(Child), Type] || {Id, Child, Type, _} <- Children].

name(undefined, Pid) when is_pid(Pid) -> integer_to_binary(number(Pid));
name(Id, _) -> Id.

status(undefined) -> stopped;
status(restarting) -> restarting;
status(Pid) when is_pid(Pid) -> up.

%% ---- the tree ----

tree(Pid) ->
    {Path, N, Kind} = ref_events:who(Pid),
    [[Path, <<"up">>, N] | branches(Kind, Path, Pid)].

branches(worker, _, _) -> [];
branches('Elixir.DynamicSupervisor', _, Pid) ->
    #{children := Children} = sys:get_state(Pid),
    numbered([case Child of
                  {restarting, _} -> {restarting, Key};
                  _ -> Key
              end || {Key, Child} <- maps:to_list(Children)]);
branches(supervisor, Path, Pid) ->
    case element(5, sys:get_state(Pid)) of % #state.dynamics
        {_, Children} -> numbered(maps:keys(Children));
        undefined -> lists:append([branch(Path, Child) || Child <- lists:reverse(supervisor:which_children(Pid))])
    end.

branch(Path, {Id, undefined, _, _}) -> [[<<Path/binary, $/, Id/binary>>, <<"stopped">>]];
branch(Path, {Id, restarting, _, _}) -> [[<<Path/binary, $/, Id/binary>>, <<"restarting">>]];
branch(_, {_, Pid, _, _}) -> tree(Pid).

%% Children without ids stand in the order in which they were asked for.
numbered(Keys) ->
    lists:append([Lines || {_, Lines} <- lists:sort([{number(Key), dynamic_branch(Key)} || Key <- Keys])]).

dynamic_branch({restarting, Pid}) -> [[element(1, ref_events:who(Pid)), <<"restarting">>]];
dynamic_branch(Pid) -> tree(Pid).

number({restarting, Pid}) -> number(Pid);
number(Pid) -> binary_to_integer(lists:last(binary:split(element(1, ref_events:who(Pid)), <<"/">>, [global]))).
