// ioredis.mjs: vdb through ioredis 6, in RESP3 (its default) and RESP2.
//
//     node ioredis.mjs PORT

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import Redis from 'ioredis';
import { finish, refused, step } from './steps.mjs';

const port = Number(process.argv[2]);
const { version } = createRequire(import.meta.url)('ioredis/package.json');
const COUNT = 1000;
const KEY = Buffer.from('key \0\r\n');
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

function blob(...values) {
    return Buffer.from(new Float32Array(values).buffer);
}

async function strings(client) {
    await step('connect', async () => {
        assert.equal(await client.ping(), 'PONG');
        assert.equal(await client.echo('käse'), 'käse');
        assert.equal(await client.client('GETNAME'), 'steps');
        assert.match(await client.info('server'), /redis_version:/);
    });
    await step('binary values', async () => {
        assert.equal(await client.set(KEY, BYTES), 'OK');
        assert.deepEqual(await client.getBuffer(KEY), BYTES);
        assert.equal(await client.get('none'), null);
    });
    await step('large values', async () => {
        const large = 'x'.repeat(1 << 20);
        await client.set('large', large);
        assert.equal(await client.get('large'), large);
    });
    await step('pipeline', async () => {
        const pipeline = client.pipeline();
        for (let i = 0; i < COUNT; i++)
            pipeline.set(`p${i}`, i).get(`p${i}`);
        const said = await pipeline.exec();
        for (let i = 0; i < COUNT; i++)
            assert.deepEqual([said[2 * i], said[2 * i + 1]], [[null, 'OK'], [null, `${i}`]]);
    });
    await step('transaction', async () => {
        const multi = client.multi().set('n', 7).incr('n').get('n');
        assert.deepEqual(await multi.exec(), [[null, 'OK'], [null, 8], [null, '8']]);
        await client.watch('n');
        await client.set('n', 1);
        assert.equal(await client.multi().get('n').exec(), null);
    });
    await step('errors', async () => {
        await client.set('text', 'v');
        await refused(client.call('VCARD', 'text'), 'WRONGTYPE');
        await refused(client.call('NOSUCH'), 'unknown command');
        await refused(client.incr('text'), 'not an integer');
        assert.equal(await client.ping(), 'PONG');
    });
    await step('expiry', async () => {
        await client.set('e', 'v', 'EX', 100);
        assert.equal(await client.ttl('e'), 100);
        await client.psetex('e', 30, 'v');
        await new Promise(done => setTimeout(done, 150));
        assert.equal(await client.get('e'), null);
    });
    await step('SCAN meets every key', async () => {
        let seen = 0;
        for await (const keys of client.scanStream({ match: 'p*', count: 300 }))
            seen += keys.length;
        assert.equal(seen, COUNT);
    });
}

async function vectors(client) {
    await step('vector set', async () => {
        for (const [id, ...values] of [['a', 3, 4], ['b', 4, 3], ['c', -3, 4]])
            assert.equal(Number(await client.call('VADD', 'set', 'FP32', blob(...values), id)), 1);
        await client.call('VSETATTR', 'set', 'c', '{"n":1}');
        assert.deepEqual(await client.call('VSIM', 'set', 'ELE', 'a'), ['a', 'b', 'c']);
        assert.deepEqual(
            await client.call('VSIM', 'set', 'ELE', 'a', 'FILTER', '.n == 1'), ['c']);
        assert.deepEqual((await client.call('VEMB', 'set', 'a')).map(Number), [3, 4]);
    });
    await step('scores: a map or a flat array', async () => {
        const said = await client.call(
            'VSIM', 'set', 'FP32', blob(3, 4), 'WITHSCORES', 'COUNT', 1);
        const pairs = Array.isArray(said) ? said : Object.entries(said).flat();
        assert.deepEqual([pairs[0], Number(pairs[1])], ['a', 1]);
    });
    await step('collection', async () => {
        assert.equal(await client.call('VCREATE', 'c', 'DIM', 2, 'METRIC', 'L2'), 'OK');
        assert.deepEqual(
            await client.call('VMADD', 'c', 'FP32', 2, 'x', KEY, blob(1, 0, 0, 1)), [1, 1]);
        const hits = await client.callBuffer('VSEARCH', 'c', 'FP32', blob(1, 0), 'WITHDIST');
        assert.deepEqual(hits.map(([id, dist]) => [id, Number(dist)]),
            [[Buffer.from('x'), 0], [KEY, 2]]);
        assert.equal(await client.call('VDROP', 'c'), 'OK');
    });
    await step('pipeline of vectors', async () => {
        const pipeline = client.pipeline();
        for (let i = 0; i < COUNT; i++)
            pipeline.call('VADD', 'many', 'FP32', blob(i, 1), i);
        for (const [error, added] of await pipeline.exec())
            assert.deepEqual([error, Number(added)], [null, 1]);
        const found = await client.call('VSIM', 'many', 'FP32', blob(0, 1), 'COUNT', 1);
        assert.deepEqual(found, ['0']);
    });
}

console.log(`client ioredis ${version} RESP3, RESP2`);
for (const protocol of [3, 2]) {
    const client = new Redis({ port, protocol, connectionName: 'steps', retryStrategy: null });
    client.on('error', error => console.log(`ioredis: ${error.message}`));
    await client.flushall();
    await step('the protocol is the one asked for', async () => {
        assert.match(await client.client('INFO'), new RegExp(` resp=${protocol}`));
    });
    await strings(client);
    await vectors(client);
    await client.quit();
}
finish();
