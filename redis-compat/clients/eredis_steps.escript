#!/usr/bin/env escript
%%! -pa /usr/lib/erlang/lib/redis_client-1.2.0/ebin
%% vdb through eredis, Erlang's client.
%%
%%     escript eredis_steps.escript PORT

-define(KEY, <<"key ", 0, "\r\n">>).

main([Port]) ->
    {ok, C} = eredis:start_link("127.0.0.1", list_to_integer(Port)),
    _ = application:load(eredis),
    {ok, Version} = application:get_key(eredis, vsn),
    io:format("client eredis ~s RESP2~n", [Version]),
    {ok, <<"OK">>} = eredis:q(C, ["FLUSHALL"]),
    Results = [step(Name, Run, C) || {Name, Run} <- strings() ++ vectors()],
    Passed = length([ok || ok <- Results]),
    Failed = length(Results) - Passed,
    io:format("~b passed, ~b failed, 0 skipped~n", [Passed, Failed]),
    halt(min(Failed, 1)).

step(Name, Run, C) ->
    try Run(C), ok
    catch _:Why -> io:format("FAIL ~s: ~p~n", [Name, Why]), failed
    end.

blob(Values) -> << <<V:32/little-float>> || V <- Values >>.

refused(C, Command, Words) ->
    {error, Text} = eredis:q(C, Command),
    true = binary:match(Text, Words) =/= nomatch.

number(Binary) -> integer_to_binary(Binary).

strings() -> [
    {"connect", fun(C) ->
        {ok, <<"PONG">>} = eredis:q(C, ["PING"]),
        {ok, <<"words">>} = eredis:q(C, ["ECHO", "words"]),
        {ok, <<"OK">>} = eredis:q(C, ["CLIENT", "SETNAME", "steps"]),
        {ok, <<"steps">>} = eredis:q(C, ["CLIENT", "GETNAME"])
    end},
    {"binary values", fun(C) ->
        Bytes = list_to_binary(lists:seq(0, 255)),
        {ok, <<"OK">>} = eredis:q(C, ["SET", ?KEY, Bytes]),
        {ok, Bytes} = eredis:q(C, ["GET", ?KEY]),
        {ok, undefined} = eredis:q(C, ["GET", "none"])
    end},
    {"large values", fun(C) ->
        Large = binary:copy(<<"x">>, 1048576),
        {ok, <<"OK">>} = eredis:q(C, ["SET", "large", Large]),
        {ok, Large} = eredis:q(C, ["GET", "large"])
    end},
    {"pipeline", fun(C) ->
        Asked = lists:append([[["SET", key(I), number(I)], ["GET", key(I)]]
                              || I <- lists:seq(0, 999)]),
        Wanted = lists:append([[{ok, <<"OK">>}, {ok, number(I)}] || I <- lists:seq(0, 999)]),
        Wanted = eredis:qp(C, Asked)
    end},
    {"transaction", fun(C) ->
        {ok, <<"OK">>} = eredis:q(C, ["MULTI"]),
        {ok, <<"QUEUED">>} = eredis:q(C, ["SET", "n", "7"]),
        {ok, <<"QUEUED">>} = eredis:q(C, ["INCR", "n"]),
        {ok, <<"QUEUED">>} = eredis:q(C, ["GET", "n"]),
        {ok, [<<"OK">>, <<"8">>, <<"8">>]} = eredis:q(C, ["EXEC"])
    end},
    {"errors", fun(C) ->
        {ok, _} = eredis:q(C, ["SET", "text", "v"]),
        refused(C, ["VCARD", "text"], <<"WRONGTYPE">>),
        refused(C, ["NOSUCH"], <<"unknown command">>),
        refused(C, ["INCR", "text"], <<"not an integer">>),
        {ok, <<"PONG">>} = eredis:q(C, ["PING"])
    end},
    {"expiry", fun(C) ->
        {ok, _} = eredis:q(C, ["SET", "e", "v", "EX", "100"]),
        {ok, <<"100">>} = eredis:q(C, ["TTL", "e"]),
        {ok, _} = eredis:q(C, ["PSETEX", "e", "30", "v"]),
        timer:sleep(150),
        {ok, undefined} = eredis:q(C, ["GET", "e"])
    end}].

key(I) -> ["p", number(I)].

vectors() -> [
    {"vector set", fun(C) ->
        {ok, <<"1">>} = eredis:q(C, ["VADD", "set", "FP32", blob([3, 4]), "a"]),
        {ok, <<"1">>} = eredis:q(C, ["VADD", "set", "FP32", blob([4, 3]), "b"]),
        {ok, <<"1">>} = eredis:q(C, ["VADD", "set", "FP32", blob([-3, 4]), "c", "SETATTR",
                                     "{\"n\":1}"]),
        {ok, [<<"a">>, <<"b">>, <<"c">>]} = eredis:q(C, ["VSIM", "set", "ELE", "a"]),
        {ok, [<<"a">>, <<"1">>]} = eredis:q(C, ["VSIM", "set", "FP32", blob([3, 4]), "WITHSCORES",
                                                "COUNT", "1"]),
        {ok, [<<"c">>]} = eredis:q(C, ["VSIM", "set", "ELE", "a", "FILTER", ".n == 1"]),
        {ok, [<<"3">>, <<"4">>]} = eredis:q(C, ["VEMB", "set", "a"])
    end},
    {"collection", fun(C) ->
        {ok, <<"OK">>} = eredis:q(C, ["VCREATE", "c", "DIM", "2", "METRIC", "L2"]),
        {ok, [<<"1">>, <<"1">>]} = eredis:q(C, ["VMADD", "c", "FP32", "2", "x", ?KEY,
                                                blob([1, 0, 0, 1])]),
        {ok, [[<<"x">>, <<"0">>], [?KEY, <<"2">>]]} =
            eredis:q(C, ["VSEARCH", "c", "FP32", blob([1, 0]), "WITHDIST"]),
        {ok, <<"OK">>} = eredis:q(C, ["VDROP", "c"])
    end},
    {"pipeline of vectors", fun(C) ->
        Said = eredis:qp(C, [["VADD", "many", "FP32", blob([I, 1]), number(I)]
                             || I <- lists:seq(0, 999)]),
        1000 = length([added || {ok, <<"1">>} <- Said]),
        {ok, [<<"0">>]} = eredis:q(C, ["VSIM", "many", "FP32", blob([0, 1]), "COUNT", "1"])
    end}].
