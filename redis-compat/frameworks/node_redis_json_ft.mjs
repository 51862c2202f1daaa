// node_redis_json_ft.mjs: an index of JSON documents through the typed methods of node-redis.
//
//     node node_redis_json_ft.mjs redis|redis-5 2|3 PORT

import assert from 'node:assert/strict';
import { finish, step } from '../clients/steps.mjs';
import { versionOf } from './version.mjs';

const [module, resp, port] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const { createClient, SCHEMA_FIELD_TYPE } = await import(module);
const version = versionOf(module);

const ids = found => found.documents.map(document => document.id);

// node-redis 5 hands out what RESP3 brings as it is, if at all: only the shape it asks for matters.
const raw = module === 'redis-5' && resp === 3;
const shaped = found => raw ? {
    total: found.total_results,
    documents: found.results.map(one => ({ id: one.id, value: one.extra_attributes })),
} : found;

async function connect() {
    const client = createClient({ RESP: resp, unstableResp3: raw,
                                  socket: { host: '127.0.0.1', port } });
    client.on('error', error => console.log(`node-redis: ${error.message}`));
    await client.connect();
    return client;
}

async function index(client) {
    await step('an index of documents', async () => {
        await client.ft.create('docs', {
            '$.title': { type: SCHEMA_FIELD_TYPE.TEXT, AS: 'title' },
            '$.tags.*': { type: SCHEMA_FIELD_TYPE.TAG, AS: 'tags' },
            '$.n': { type: SCHEMA_FIELD_TYPE.NUMERIC, AS: 'n' },
        }, { ON: 'JSON', PREFIX: 'd:' });
        for (let n = 0; n < 6; n++)
            await client.json.set(`d:${n}`, '$', { title: `title ${n % 2 ? 'odd' : 'even'}`,
                                                   tags: ['all', `t${n}`], n });
        const found = shaped(await client.ft.search('docs', '@title:odd @n:[2 9]',
                                                    { SORTBY: 'n' }));
        assert.deepEqual(ids(found), ['d:3', 'd:5']);
        const text = found.documents[0].value.$ ?? found.documents[0].value;
        assert.equal((typeof text === 'string' ? JSON.parse(text) : text).n, 3);
        assert.deepEqual(ids(shaped(await client.ft.search('docs', '@tags:{t4}'))), ['d:4']);
    });
}

console.log(`client node-redis ${version} RESP${resp}`);
const client = await connect();
await index(client);
await client.close();
finish();
