%% Words of the trace: exit reasons and errors as short strings, and JSON written by hand (OTP 25 has no json module).
-module(ref_text).
-export([reason/1, parse_reason/1, error/1, json/1]).

reason({shutdown, Why}) when is_atom(Why) -> <<"shutdown:", (atom_to_binary(Why))/binary>>;
reason({shutdown, _}) -> <<"shutdown">>;
reason(Reason) when is_atom(Reason) -> atom_to_binary(Reason);
reason(Reason) when is_tuple(Reason) -> reason(element(1, Reason)).

parse_reason(<<"shutdown:", Why/binary>>) -> {shutdown, binary_to_atom(Why)};
parse_reason(Word) -> binary_to_atom(Word).

%% An error as OTP names it: the kind, where it was, the id where two children share one or one did not start.
error(Error) -> iolist_to_binary([<<"error:">>, lists:join($:, kinds(Error))]).

kinds({error, Error}) -> kinds(Error); % sys:change_code wraps once more
kinds({shutdown, {failed_to_start_child, Id, _}}) -> [<<"shutdown">>, <<"failed_to_start_child">>, Id];
kinds({Where, Error}) when Where =:= supervisor_data; Where =:= start_spec -> [atom_to_binary(Where) | kinds(Error)];
kinds({duplicate_child_name, Id}) -> [<<"duplicate_child_name">>, Id];
kinds({Kind, _}) when is_atom(Kind), Kind =/= 'EXIT' -> [atom_to_binary(Kind)];
kinds(Kind) when is_atom(Kind), Kind =/= start_error, Kind =/= start_crash -> [atom_to_binary(Kind)];
kinds(_) -> [<<"start_failed">>].

json(Map) when is_map(Map) ->
    [${, lists:join($,, [[json(Key), $:, json(Value)] || {Key, Value} <- maps:to_list(Map)]), $}];
json(List) when is_list(List) -> [$[, lists:join($,, [json(Item) || Item <- List]), $]];
json(Number) when is_integer(Number) -> integer_to_binary(Number);
json(Number) when is_float(Number) -> float_to_binary(Number, [short]);
json(Word) when Word =:= true; Word =:= false; Word =:= null -> atom_to_binary(Word);
json(Word) when is_atom(Word) -> json(atom_to_binary(Word));
json(Text) when is_binary(Text) -> [$", [escape(Char) || <<Char/utf8>> <= Text], $"].

escape($") -> <<"\\\"">>;
escape($\\) -> <<"\\\\">>;
escape(Char) when Char < 32 -> io_lib:format("\\u~4.16.0b", [Char]);
escape(Char) -> <<Char/utf8>>.
