// node_redis.mjs: vdb through node-redis 6: its handshake, its typed vector-set methods, strings
// and pipelines, in RESP3 (its default) and RESP2.
//
//     node node_redis.mjs PORT

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { createClient, RESP_TYPES } from 'redis';
import { finish, near, refused, step } from './steps.mjs';

const port = Number(process.argv[2]);
const { version } = createRequire(import.meta.url)('redis/package.json');
const PIPELINE = 5000;

async function connect(resp) {
    const client = createClient({
        RESP: resp, name: 'steps', socket: { host: '127.0.0.1', port, reconnectStrategy: false },
    });
    client.on('error', error => console.log(`node-redis: ${error.message}`));
    await client.connect();
    return client;
}

async function connection(client, resp) {
    await step('the protocol is the one asked for', async () => {
        const hello = await client.hello();
        assert.equal(Number(hello.proto), resp);
        assert.equal(hello.mode, 'standalone');
        assert.equal(hello.role, 'master');
    });
    await step('PING, ECHO and the name of the connection', async () => {
        assert.equal(await client.ping(), 'PONG');
        assert.equal(await client.ping('words'), 'words');
        assert.equal(await client.echo('käse'), 'käse');
        assert.equal(await client.clientGetName(), 'steps');
        assert.ok(await client.clientId() > 0);
        assert.match((await client.clientInfo()).libName ?? '', /node-redis/);
    });
    await step('INFO, CONFIG GET, COMMAND COUNT, DBSIZE', async () => {
        assert.match(await client.info(), /redis_version:/);
        assert.deepEqual({ ...await client.configGet('maxclients') }, { maxclients: '10000' });
        assert.ok(await client.commandCount() > 40);
        assert.equal(await client.dbSize(), 0);
    });
}

async function strings(client) {
    await step('SET and GET', async () => {
        assert.equal(await client.set('k', 'v'), 'OK');
        assert.equal(await client.get('k'), 'v');
        assert.equal(await client.get('nothere'), null);
        assert.equal(await client.exists('k'), 1);
        assert.equal(await client.type('k'), 'string');
    });
    await step('bytes that are no text survive', async () => {
        const bytes = Buffer.from([0, 255, 13, 10, 36, 0, 128]);
        const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
        assert.equal(await client.set('bytes', bytes), 'OK');
        assert.deepEqual(await raw.get('bytes'), bytes);
    });
    await step('keys expire', async () => {
        assert.equal(await client.set('e', 'v', { expiration: { type: 'EX', value: 100 } }), 'OK');
        assert.equal(await client.ttl('e'), 100);
        assert.equal(await client.expireAt('e', 4000000000), 1);
        assert.equal(await client.expireTime('e'), 4000000000);
        assert.equal(await client.persist('e'), 1);
        assert.equal(await client.pExpire('e', 20), 1);
        await new Promise(done => setTimeout(done, 200));
        assert.equal(await client.get('e'), null);
    });
    await step('MULTI and EXEC, with null when a watched key has changed', async () => {
        assert.deepEqual(await client.multi().set('m', '1').incr('m').get('m').exec(),
            ['OK', 2, '2']);
        await client.watch('m');
        await client.set('m', '9');
        await assert.rejects(client.multi().get('m').exec(), /watched/i);
    });
    await step('replies of a pipeline come in order', async () => {
        const asked = [];
        for (let i = 0; i < PIPELINE; i++)
            asked.push(client.set(`p${i}`, `${i}`), client.get(`p${i}`));
        const said = await Promise.all(asked);
        for (let i = 0; i < PIPELINE; i++)
            assert.deepEqual([said[2 * i], said[2 * i + 1]], ['OK', `${i}`]);
    });
    await step('SCAN meets every key', async () => {
        let seen = 0;
        for await (const keys of client.scanIterator({ MATCH: 'p*', COUNT: 500 }))
            seen += keys.length;
        assert.equal(seen, PIPELINE);
    });
    await step('DEL, KEYS, FLUSHALL', async () => {
        assert.equal(await client.del(['p0', 'p1', 'nothere']), 2);
        assert.deepEqual(await client.keys('p11'), ['p11']);
        assert.equal(await client.flushAll(), 'OK');
        assert.equal(await client.dbSize(), 0);
    });
}

async function writes(client) {
    await step('vAdd says whether the element is new', async () => {
        assert.equal(await client.vAdd('set', [3, 4], 'a', { SETATTR: { year: 1990 } }), true);
        assert.equal(await client.vAdd('set', [3, 4.01], 'a'), false);
        const q8 = { CAS: true, QUANT: 'Q8', EF: 300 };
        assert.equal(await client.vAdd('set', [4, 3], 'b', q8), true);
        const m16 = { M: 16, SETATTR: { year: 2000 } };
        assert.equal(await client.vAdd('set', [-3, 4], 'c', m16), true);
        assert.equal(await client.type('set'), 'vectorset');
    });
    await step('vCard, vDim', async () => {
        assert.equal(await client.vCard('set'), 3);
        assert.equal(await client.vCard('nothere'), 0);
        assert.equal(await client.vDim('set'), 2);
    });
    await step('vSetAttr, vGetAttr', async () => {
        assert.deepEqual(await client.vGetAttr('set', 'a'), { year: 1990 });
        assert.equal(await client.vGetAttr('set', 'b'), null);
        assert.equal(await client.vSetAttr('set', 'b', { year: 1995, tags: ['x', 'y'] }), true);
        assert.deepEqual(await client.vGetAttr('set', 'b'), { year: 1995, tags: ['x', 'y'] });
        assert.equal(await client.vSetAttr('set', 'nothere', {}), false);
        assert.equal(await client.vSetAttr('set', 'b', ''), true);
        assert.equal(await client.vGetAttr('set', 'b'), null);
    });
}

async function searches(client) {
    await step('vSim by element and by vector', async () => {
        assert.deepEqual(await client.vSim('set', 'a'), ['a', 'b', 'c']);
        assert.deepEqual(await client.vSim('set', [4, 3.1], { COUNT: 1, EF: 50 }), ['b']);
        assert.deepEqual(await client.vSim('nothere', 'a'), []);
    });
    await step('vSim with FILTER, TRUTH, EPSILON', async () => {
        assert.deepEqual(await client.vSim('set', 'a', { FILTER: '.year >= 2000' }), ['c']);
        assert.deepEqual(await client.vSim('set', 'a', { TRUTH: true, NOTHREAD: true }),
            ['a', 'b', 'c']);
        assert.deepEqual(await client.vSim('set', 'a', { EPSILON: 0.1 }), ['a', 'b']);
    });
    await step('vSimWithScores: an object from element to number', async () => {
        const scores = await client.vSimWithScores('set', 'a');
        assert.deepEqual(Object.keys(scores), ['a', 'b', 'c']);
        near(scores.a, 1, 1e-6);
        near(scores.b, (1 + 0.96) / 2);
        near(scores.c, (1 + 0.28) / 2);
        assert.deepEqual({ ...await client.vSimWithScores('nothere', 'a') }, {});
    });
}

async function elements(client) {
    await step('vEmb and vEmbRaw', async () => {
        const vector = await client.vEmb('set', 'b');
        near(vector[0], 4);
        near(vector[1], 3);
        const raw = await client.vEmbRaw('set', 'b');
        assert.equal(raw.quantization, 'int8');
        near(raw.l2Norm, 5, 1e-6);
        near(raw.quantizationRange, 0.8, 0.01);
        assert.equal(raw.raw.length > 0, true);
    });
    await step('vInfo has the fields of Redis in their order', async () => {
        const info = await client.vInfo('set');
        assert.deepEqual(Object.keys(info), ['quant-type', 'hnsw-m', 'vector-dim',
            'projection-input-dim', 'size', 'max-level', 'attributes-count', 'vset-uid',
            'hnsw-max-node-uid']);
        assert.deepEqual([info['quant-type'], info['hnsw-m'], info['vector-dim'], info.size,
            info['attributes-count']], ['int8', 16, 2, 3, 2]);
    });
    await step('vLinks and vLinksWithScores: one entry a level', async () => {
        const levels = await client.vLinks('set', 'a');
        assert.deepEqual(levels.at(-1).toSorted(), ['b', 'c']);
        const scored = await client.vLinksWithScores('set', 'a');
        near(scored.at(-1).b, (1 + 0.96) / 2);
    });
    await step('vRandMember', async () => {
        assert.ok(['a', 'b', 'c'].includes(await client.vRandMember('set')));
        assert.deepEqual((await client.vRandMember('set', 9)).toSorted(), ['a', 'b', 'c']);
        assert.equal((await client.vRandMember('set', -9)).length, 9);
        assert.equal(await client.vRandMember('nothere'), null);
    });
    await step('vRange', async () => {
        assert.deepEqual(await client.vRange('set', '-', '+'), ['a', 'b', 'c']);
        assert.deepEqual(await client.vRange('set', '(a', '[c', 1), ['b']);
    });
    await step('VISMEMBER, which has no method', async () => {
        assert.equal(Number(await client.sendCommand(['VISMEMBER', 'set', 'a'])), 1);
        assert.equal(Number(await client.sendCommand(['VISMEMBER', 'set', 'z'])), 0);
    });
    await step('vRem; the last one takes the key along', async () => {
        assert.equal(await client.vRem('set', 'nothere'), false);
        for (const element of ['a', 'b', 'c'])
            assert.equal(await client.vRem('set', element), true);
        assert.equal(await client.exists('set'), 0);
    });
}

async function errors(client) {
    await step('errors are errors, and the connection goes on', async () => {
        await client.set('text', 'v');
        await refused(client.vCard('text'), 'WRONGTYPE');
        await refused(client.vDim('nothere'), 'key does not exist');
        await refused(client.sendCommand(['VADD', 'k', 'VALUES', '1', 'x', 'e']),
            'invalid vector specification');
        await refused(client.sendCommand(['NOSUCH', 'x']), 'unknown command');
        assert.equal(await client.ping(), 'PONG');
        await client.del('text');
    });
}

// Collections, which only sendCommand knows.
async function collections(client) {
    await step('VCREATE, VMADD and VSEARCH by sendCommand', async () => {
        const blob = Buffer.from(new Float32Array([1, 0, 0, 1, 1, 1]).buffer);
        assert.equal(await client.sendCommand(['VCREATE', 'c', 'DIM', '2', 'METRIC', 'L2']), 'OK');
        assert.deepEqual(await client.sendCommand(
            ['VMADD', 'c', 'FP32', '3', 'x', 'y', 'both', blob]), [1, 1, 1]);
        const hits = await client.sendCommand(
            ['VSEARCH', 'c', 'ELE', 'x', 'COUNT', '2', 'WITHDIST']);
        assert.deepEqual(hits.map(([id, dist]) => [id, Number(dist)]), [['x', 0], ['both', 1]]);
        assert.equal(await client.sendCommand(['VDROP', 'c']), 'OK');
    });
}

console.log(`client node-redis ${version} RESP3, RESP2`);
for (const resp of [3, 2]) {
    const client = await connect(resp);
    await client.flushAll();
    for (const part of [connection, strings, writes, searches, elements, errors, collections])
        await part(client, resp);
    await client.close();
}
finish();
