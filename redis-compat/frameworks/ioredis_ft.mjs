// ioredis_ft.mjs: FT.* through call() of ioredis, in RESP3 (its default) and RESP2: replies as
// the protocol has them.
//
//     node ioredis_ft.mjs PORT

import assert from 'node:assert/strict';
import Redis from 'ioredis';
import { finish, near, refused, step } from '../clients/steps.mjs';
import { versionOf } from './version.mjs';

const port = Number(process.argv[2]);
const blob = (...numbers) => Buffer.from(new Float32Array(numbers).buffer);

// Maps come as names and values in turn.
const byName = list => Object.fromEntries(
    list.flatMap((name, at) => at % 2 ? [] : [[name, list[at + 1]]]));

// Hits as [id, fields], of either shape.
function hits(found) {
    if (found[0] === 'attributes')
        return byName(found).results.map(byName).map(one => [one.id, byName(one.extra_attributes)]);
    const out = [];
    for (let i = 1; i < found.length; i += 2)
        out.push([found[i], byName(found[i + 1])]);
    return out;
}

async function documents(client, protocol) {
    await step(`RESP${protocol}: documents and their index`, async () => {
        assert.equal(await client.call(
            'FT.CREATE', 'idx', 'PREFIX', '1', 'doc:', 'SCHEMA', 'name', 'TEXT', 'n', 'NUMERIC',
            'v', 'VECTOR', 'FLAT', '6', 'TYPE', 'FLOAT32', 'DIM', '2', 'DISTANCE_METRIC', 'L2'),
                     'OK');
        const pipeline = client.pipeline();
        for (let n = 0; n < 20; n++)
            pipeline.hset(`doc:${n}`, { name: `number ${n}`, n, v: blob(n, 0) });
        assert.ok((await pipeline.exec()).every(([error, said]) => !error && said === 3));
        assert.equal(await client.hget('doc:7', 'n'), '7');
    });
    await step(`RESP${protocol}: hybrid search`, async () => {
        const found = hits(await client.call(
            'FT.SEARCH', 'idx', '(@n:[5 15] number)=>[KNN 3 @v $q AS far]', 'PARAMS', '2', 'q',
            blob(4, 0), 'SORTBY', 'far', 'RETURN', '2', 'far', 'n', 'DIALECT', '2'));
        assert.deepEqual(found.map(([id]) => id), ['doc:5', 'doc:6', 'doc:7']);
        near(Number(found[2][1].far), 9);
        assert.equal(found[0][1].n, '5');
    });
    await step(`RESP${protocol}: errors in the words that clients match`, async () => {
        await refused(client.call('FT.SEARCH', 'none', '*'), 'no such index');
        await refused(client.call('FT.CREATE', 'idx', 'SCHEMA', 't', 'TAG'),
                      'Index already exists');
        await refused(client.call('FT.SEARCH', 'idx', '@n:[1'), 'Syntax error');
    });
    await step(`RESP${protocol}: the index and its documents go`, async () => {
        assert.equal(await client.call('FT.DROPINDEX', 'idx', 'DD'), 'OK');
        assert.equal(await client.dbsize(), 0);
    });
}

console.log(`client ioredis ${versionOf('ioredis')} RESP3, RESP2`);
for (const protocol of [3, 2]) {
    const client = new Redis({ port, protocol });
    await documents(client, protocol);
    await client.quit();
}
finish();
