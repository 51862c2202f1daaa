// node_redis_json.mjs: the typed .json methods of node-redis.
//
//     node node_redis_json.mjs redis|redis-5 2|3 PORT

import assert from 'node:assert/strict';
import { finish, step } from '../clients/steps.mjs';
import { versionOf } from './version.mjs';

const [module, resp, port] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const { createClient } = await import(module);

async function documents(client) {
    await step('JSON.SET and JSON.GET', async () => {
        const value = { name: 'käse', list: [1, 2.5, null, true], in: { deep: 'x' } };
        assert.equal(await client.json.set('doc', '$', value), 'OK');
        assert.deepEqual(await client.json.get('doc'), value);
        assert.deepEqual(await client.json.get('doc', { path: '$.in.deep' }), ['x']);
        assert.deepEqual(await client.json.get('doc', { path: ['$.name', '$.in'] }),
                         { '$.name': ['käse'], '$.in': [{ deep: 'x' }] });
        assert.equal(await client.json.get('none'), null);
        assert.equal(await client.json.set('doc', '$', 1, { condition: 'NX' }), null);
        assert.deepEqual(await client.json.mGet(['doc', 'none'], '$.name'), [['käse'], null]);
    });
    await step('JSON.MERGE, NUMINCRBY, ARRAPPEND and what counts', async () => {
        await client.json.set('doc', '$', { n: 1, list: [1], text: 'a' });
        assert.equal(await client.json.merge('doc', '$', { more: { x: 1 }, text: null }), 'OK');
        assert.deepEqual(await client.json.numIncrBy('doc', '$.n', 2), [3]);
        assert.deepEqual(await client.json.arrAppend('doc', '$.list', 2, 3), [3]);
        assert.deepEqual(await client.json.arrLen('doc', { path: '$.list' }), [3]);
        assert.deepEqual(await client.json.objKeys('doc', { path: '$' }), [['n', 'list', 'more']]);
        assert.deepEqual([await client.json.type('doc', { path: '$.n' })].flat(2), ['integer']);
        assert.equal(await client.json.del('doc', { path: '$.list' }), 1);
        assert.deepEqual(await client.json.get('doc'), { n: 3, more: { x: 1 } });
        assert.equal(await client.type('doc'), 'ReJSON-RL');
    });
}

console.log(`client node-redis ${versionOf(module)} RESP${resp}`);
const client = createClient({ RESP: resp, socket: { host: '127.0.0.1', port } });
client.on('error', error => console.log(`node-redis: ${error.message}`));
await client.connect();
await documents(client);
await client.close();
finish();
