%% The window clock of the real supervisors, made virtual.
%%
%% `supervisor` and Elixir's DynamicSupervisor read erlang:monotonic_time(1) in add_restart. We load the very same modules
%% from their own debug information, with that one call replaced by ref_clock:now/0. Nothing else in them changes.
-module(ref_clock).
-export([open/0, load/1, set/1, advance/1, now/0]).

open() ->
    persistent_term:put(?MODULE, counters:new(1, [])),
    ok.

%% The virtual time, in milliseconds since the case began.
set(Ms) -> counters:put(persistent_term:get(?MODULE), 1, Ms).
advance(Ms) -> counters:add(persistent_term:get(?MODULE), 1, Ms).

%% Whole seconds, as erlang:monotonic_time(1) gives them.
now() -> counters:get(persistent_term:get(?MODULE), 1) div 1000.

load(Module) ->
    {Module, Beam, File} = code:get_object_code(Module),
    {ok, {Module, [{debug_info, {debug_info_v1, Backend, Data}}]}} = beam_lib:chunks(Beam, [debug_info]),
    {ok, Forms} = Backend:debug_info(erlang_v1, Module, Data, []),
    {Patched, Replaced} = patch(Forms, 0),
    1 = Replaced, % exactly one clock; another release may have more, and this reference would be wrong there
    {ok, Module, Binary} = compile:forms(Patched, []),
    code:unstick_dir(filename:dirname(File)),
    {module, Module} = code:load_binary(Module, File, Binary),
    ok.

patch({call, Anno, {remote, _, {atom, _, erlang}, {atom, _, monotonic_time}}, [{integer, _, 1}]}, Count) ->
    {{call, Anno, {remote, Anno, {atom, Anno, ?MODULE}, {atom, Anno, now}}, []}, Count + 1};
patch(Tuple, Count) when is_tuple(Tuple) ->
    {List, Count1} = patch(tuple_to_list(Tuple), Count),
    {list_to_tuple(List), Count1};
patch([Head | Tail], Count) ->
    {Head1, Count1} = patch(Head, Count),
    {Tail1, Count2} = patch(Tail, Count1),
    {[Head1 | Tail1], Count2};
patch(Leaf, Count) ->
    {Leaf, Count}.
