// node_redis_json_ft.mjs: an index of JSON documents through the typed methods of node-redis.
//
//     node node_redis_json_ft.mjs redis|redis-5 2|3 PORT

import assert from 'node:assert/strict';
import { finish, step } from '../clients/steps.mjs';
import { connect, ids, library, shaped } from './node_redis.mjs';

const { SCHEMA_FIELD_TYPE } = library;

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

const client = await connect();
await index(client);
await client.close();
finish();
