%% The scripted processes: workers that start, hang, hook and end as the case says, and the callback module of the real
%% supervisors (`supervisor`, and Elixir's DynamicSupervisor for strategy "dynamic").
-module(ref_child).
-export([start/2, start_dynamic/4, init/1, start_worker/4, spec/2, shape/2, atom/1]).

%% Starts attempt n of a path, with the outcome that its script has for n. Runs in the process of its supervisor.
start(Path, Script) ->
    N = ref_events:attempt(Path),
    case outcome(maps:get(<<"start">>, Script, []), N) of
        <<"ok">> -> begin_process(Path, N, Script);
        <<"ignore">> -> ref_events:note([<<"start_ignored">>, Path, N]), ignore;
        <<"error">> -> failed(Path, N), {error, start_error};
        <<"crash">> -> failed(Path, N), proc_lib:start_link(erlang, exit, [start_crash]);
        <<"raise">> -> failed(Path, N), error(start_raise)
    end.

%% A child of simple_one_for_one: the template's definition, with the behaviour that the call asks for.
start_dynamic(SupPath, Template, Number, Extra) ->
    start(dynamic_path(SupPath, Number), shape(Template, Extra)).

%% The template, with the behaviour (and only the behaviour) that the call asks for.
shape(Template, Extra) ->
    maps:merge(Template, maps:with([<<"start">>, <<"trap_exit">>, <<"on_shutdown">>], Extra)).

outcome(Word, _) when is_binary(Word) -> Word;
outcome([], _) -> <<"ok">>;
outcome(Words, N) -> lists:nth(min(N, length(Words)), Words).

failed(Path, N) -> ref_events:note([<<"start_failed">>, Path, N]).

begin_process(Path, N, #{<<"type">> := <<"supervisor">>} = Script) ->
    Result = case maps:get(<<"strategy">>, Script, none) of
        <<"dynamic">> -> 'Elixir.DynamicSupervisor':start_link(?MODULE, {Path, N, Script}, []);
        _ -> supervisor:start_link(?MODULE, {Path, N, Script})
    end,
    case Result of
        {ok, Pid} -> ref_events:up(Pid), Result;
        {error, _} -> failed(Path, N), Result
    end;
begin_process(Path, N, Script) ->
    proc_lib:start_link(?MODULE, start_worker, [self(), Path, N, Script]).

%% ---- supervisors ----

%% Called once when the supervisor starts and again for each change of its code (an upgrade).
init({Path, N, Given}) ->
    case get(ref_born) of
        true -> ok;
        undefined -> put(ref_born, true), ref_events:born(Path, N, kind(Given))
    end,
    Script = ref_events:definition(Path, Given),
    case maps:get(<<"strategy">>, Script, none) of
        <<"dynamic">> -> {ok, dynamic_flags(Script)};
        <<"simple_one_for_one">> -> {ok, {flags(Script), templates(Path, Script)}};
        _ -> {ok, {flags(Script), [spec(Path, Child) || Child <- maps:get(<<"children">>, Script, [])]}}
    end.

kind(#{<<"strategy">> := <<"dynamic">>}) -> 'Elixir.DynamicSupervisor';
kind(_) -> supervisor.

flags(Script) -> known(Script, [strategy, intensity, period, auto_shutdown]).

%% OTP's defaults of DynamicSupervisor.init/1: three restarts in five seconds, no limit of children.
dynamic_flags(Script) ->
    Defaults = #{intensity => 3, period => 5, max_children => infinity},
    maps:merge(Defaults, (known(Script, [intensity, period, max_children]))#{strategy => one_for_one}).

templates(Path, #{<<"template">> := Template}) ->
    case spec(Path, Template) of
        #{start := _} = Spec -> [Spec#{start => {?MODULE, start_dynamic, [Path, Template]}}];
        Bad -> [Bad]
    end;
templates(_, _) -> [].

%% The child spec of a scripted child of Path. What is not even an object is handed over as it is.
spec(Path, Script) when is_map(Script) ->
    Keys = known(Script, [restart, shutdown, type, significant]),
    case Script of
        #{<<"id">> := Id, <<"start">> := null} -> Keys#{id => Id}; % a spec that does not say how to start
        #{<<"id">> := Id} when is_binary(Id) ->
            Keys#{id => Id, start => {?MODULE, start, [<<Path/binary, $/, Id/binary>>, Script]}};
        #{<<"id">> := Id} -> Keys#{id => Id, start => {?MODULE, start, [Path, Script]}};
        _ -> Keys#{start => {?MODULE, start, [Path, Script]}}
    end;
spec(_Path, Other) -> Other.

known(Script, Names) ->
    maps:from_list([{Name, atom(Value)} || Name <- Names, {ok, Value} <- [maps:find(atom_to_binary(Name), Script)]]).

atom(Word) when is_binary(Word) -> binary_to_atom(Word);
atom(Value) -> Value.

dynamic_path(SupPath, Number) -> <<SupPath/binary, $/, (integer_to_binary(Number))/binary>>.

%% ---- workers ----

start_worker(Parent, Path, N, Script) ->
    Traps = maps:get(<<"trap_exit">>, Script, true),
    process_flag(trap_exit, Traps),
    ref_events:up(self()),
    ref_events:born(Path, N, worker),
    proc_lib:init_ack({ok, self()}),
    live(#{parent => Parent, path => Path, n => N, traps => Traps,
           on_shutdown => maps:get(<<"on_shutdown">>, Script, <<"ok">>)}).

live(#{parent := Parent} = Worker) ->
    receive
        {crash, Reason} -> hook(Worker, Reason), exit(Reason);
        {'EXIT', Parent, shutdown} -> hook(Worker, shutdown), shut_down(maps:get(on_shutdown, Worker));
        {'EXIT', Parent, Reason} -> hook(Worker, Reason), exit(Reason);
        {'EXIT', _Stranger, _Reason} -> live(Worker)
    end.

%% A worker that does not trap exits has no hook.
hook(#{traps := false}, _) -> ok;
hook(#{path := Path, n := N}, Reason) -> ref_events:note([<<"terminate">>, Path, N, ref_text:reason(Reason)]).

shut_down(<<"ok">>) -> exit(shutdown);
shut_down(<<"normal">>) -> exit(normal);
shut_down(<<"error">>) -> exit(bad_exit);
shut_down(<<"shutdown_term">>) -> exit({shutdown, bye});
shut_down(<<"hang">>) -> ref_events:hangs(), receive after infinity -> ok end.
