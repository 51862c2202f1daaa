<?php
// php_steps.php: the steps, whatever the client is. $client has call(...words), pipeline(calls),
// transaction(calls) and refusal(...words): the text of an error.

const BLOB_3_4 = "\x00\x00\x40\x40\x00\x00\x80\x40";
const KEY = "key \0\r\n";
$passed = 0;
$failed = 0;

function blob(float ...$values): string
{
    return pack('g*', ...$values);
}

function check($found, $wanted): void
{
    if ($found !== $wanted) {
        throw new Exception(json_encode($found, JSON_INVALID_UTF8_SUBSTITUTE) . ' instead of ' .
                            json_encode($wanted, JSON_INVALID_UTF8_SUBSTITUTE));
    }
}

function has(string $text, string $words): void
{
    if (strpos($text, $words) === false) {
        throw new Exception("\"$text\" lacks \"$words\"");
    }
}

function step(string $name, callable $run): void
{
    global $passed, $failed;
    try {
        $run();
        $passed++;
    } catch (Throwable $e) {
        $failed++;
        echo "FAIL $name: {$e->getMessage()}\n";
    }
}

function strings($client): void
{
    step('connect', function () use ($client) {
        check($client->call('ECHO', 'words'), 'words');
        $client->call('CLIENT', 'SETNAME', 'steps');
        check($client->call('CLIENT', 'GETNAME'), 'steps');
    });
    step('binary values', function () use ($client) {
        $bytes = implode('', array_map('chr', range(0, 255)));
        $client->call('SET', KEY, $bytes);
        check($client->call('GET', KEY), $bytes);
        check((bool) $client->call('GET', 'none'), false);
    });
    step('large values', function () use ($client) {
        $large = str_repeat('x', 1 << 20);
        $client->call('SET', 'large', $large);
        check($client->call('GET', 'large'), $large);
    });
    step('pipeline', function () use ($client) {
        $calls = [];
        $wanted = [];
        for ($i = 0; $i < 1000; $i++) {
            array_push($calls, ['SET', "p$i", (string) $i], ['GET', "p$i"]);
            $wanted[] = (string) $i;
        }
        $said = $client->pipeline($calls);
        $values = array_values(array_filter($said, fn ($at) => $at % 2 == 1, ARRAY_FILTER_USE_KEY));
        check($values, $wanted);
    });
    step('transaction', function () use ($client) {
        $said = $client->transaction([['SET', 'n', '7'], ['INCR', 'n'], ['GET', 'n']]);
        check(array_slice($said, 1), [8, '8']);
    });
    step('errors', function () use ($client) {
        $client->call('SET', 'text', 'v');
        has($client->refusal('VCARD', 'text'), 'WRONGTYPE');
        has($client->refusal('NOSUCH'), 'unknown command');
        has($client->refusal('INCR', 'text'), 'not an integer');
        check($client->call('ECHO', 'x'), 'x');
    });
    step('expiry', function () use ($client) {
        $client->call('SET', 'e', 'v', 'EX', '100');
        check($client->call('TTL', 'e'), 100);
        $client->call('PSETEX', 'e', '30', 'v');
        usleep(150000);
        check((bool) $client->call('GET', 'e'), false);
    });
}

function vectors($client): void
{
    step('vector set', function () use ($client) {
        check($client->call('VADD', 'set', 'FP32', BLOB_3_4, 'a'), 1);
        check($client->call('VADD', 'set', 'FP32', blob(4, 3), 'b'), 1);
        check($client->call('VADD', 'set', 'FP32', blob(-3, 4), 'c', 'SETATTR', '{"n":1}'), 1);
        check($client->call('VSIM', 'set', 'ELE', 'a'), ['a', 'b', 'c']);
        check($client->call('VSIM', 'set', 'FP32', BLOB_3_4, 'WITHSCORES', 'COUNT', '1'),
              ['a', '1']);
        check($client->call('VSIM', 'set', 'ELE', 'a', 'FILTER', '.n == 1'), ['c']);
        check($client->call('VEMB', 'set', 'a'), ['3', '4']);
    });
    step('collection', function () use ($client) {
        $client->call('VCREATE', 'c', 'DIM', '2', 'METRIC', 'L2');
        check($client->call('VMADD', 'c', 'FP32', '2', 'x', KEY, blob(1, 0, 0, 1)), [1, 1]);
        check($client->call('VSEARCH', 'c', 'FP32', blob(1, 0), 'WITHDIST'),
              [['x', '0'], [KEY, '2']]);
        $client->call('VDROP', 'c');
        has($client->refusal('VSEARCH', 'c', 'ELE', 'x'), 'no such collection');
    });
    step('pipeline of vectors', function () use ($client) {
        $calls = [];
        for ($i = 0; $i < 1000; $i++) {
            $calls[] = ['VADD', 'many', 'FP32', blob($i, 1), (string) $i];
        }
        check($client->pipeline($calls), array_fill(0, 1000, 1));
        check($client->call('VSIM', 'many', 'FP32', blob(0, 1), 'COUNT', '1'), ['0']);
    });
}

function run($client): void
{
    global $passed, $failed;
    $client->call('FLUSHALL');
    strings($client);
    vectors($client);
    echo "$passed passed, $failed failed, 0 skipped\n";
    exit($failed == 0 ? 0 : 1);
}
