// node_redis_ft.mjs: the typed .ft methods of node-redis: what it makes of the replies is
// what counts, so shapes are its own.
//
//     node node_redis_ft.mjs redis|redis-5 2|3 PORT

import assert from 'node:assert/strict';
import { finish, near, refused, step } from '../clients/steps.mjs';
import { connect, ids, library, raw, shaped } from './node_redis.mjs';

const { SCHEMA_FIELD_TYPE, SCHEMA_VECTOR_FIELD_ALGORITHM } = library;

const blob = (...numbers) => Buffer.from(new Float32Array(numbers).buffer);

async function fill(client) {
    await step('FT.CREATE with every attribute of a vector', async () => {
        assert.equal(await client.ft.create('idx', {
            v: { type: SCHEMA_FIELD_TYPE.VECTOR, ALGORITHM: SCHEMA_VECTOR_FIELD_ALGORITHM.HNSW,
                 TYPE: 'FLOAT32', DIM: 2, DISTANCE_METRIC: 'L2', M: 16, EF_CONSTRUCTION: 200,
                 EF_RUNTIME: 50 },
            kind: { type: SCHEMA_FIELD_TYPE.TAG, SEPARATOR: '|', SORTABLE: true },
            price: { type: SCHEMA_FIELD_TYPE.NUMERIC, SORTABLE: true, AS: 'cost' },
        }, { ON: 'HASH', PREFIX: 'item:' }), 'OK');
        await refused(client.ft.create('idx', { t: SCHEMA_FIELD_TYPE.TAG }),
                      'Index already exists');
        assert.deepEqual([...await client.ft._list()], ['idx']);
    });
    await step('hashes in a transaction', async () => {
        const multi = client.multi();
        for (let i = 0; i < 10; i++)
            multi.hSet(`item:${i}`, { v: blob(i, 0), kind: i % 2 ? 'odd|all' : 'even|all',
                                      price: String(i * 10) });
        assert.deepEqual(await multi.exec(), Array(10).fill(3));
    });
}

async function searches(client) {
    await step('FT.SEARCH by tags and numbers', async () => {
        const found = shaped(await client.ft.search('idx', '@kind:{odd} @cost:[20 (70]',
                                                    { SORTBY: { BY: 'cost', DIRECTION: 'DESC' } }));
        assert.equal(Number(found.total), 2);
        assert.deepEqual(ids(found), ['item:5', 'item:3']);
        assert.equal(found.documents[0].value.kind, 'odd|all');
    });
    await step('FT.SEARCH KNN behind a filter', async () => {
        const found = shaped(await client.ft.search(
            'idx', '(@kind:{even})=>[KNN 3 @v $q AS far]', {
                PARAMS: { q: blob(3, 0) }, SORTBY: 'far', RETURN: ['far', 'cost'], DIALECT: 2,
                LIMIT: { from: 0, size: 3 } }));
        assert.equal(Number(found.total), 3);
        assert.deepEqual(new Set(ids(found).slice(0, 2)), new Set(['item:2', 'item:4']));
        near(Number(found.documents[0].value.far), 1);
        assert.equal(found.documents[0].value.v, undefined);
    });
    await step('FT.SEARCH NOCONTENT and LIMIT 0 0', async () => {
        const found = await client.ft.searchNoContent('idx', '@cost:[0 40]',
                                                      { SORTBY: 'cost' });
        assert.equal(Number(found.total ?? found.total_results), 5);
        assert.deepEqual(found.documents ?? found.results.map(one => one.id),
                         [0, 1, 2, 3, 4].map(i => `item:${i}`));
        const count = await client.ft.search('idx', '*', { LIMIT: { from: 0, size: 0 } });
        assert.equal(Number(shaped(count).total), 10);
    });
    await step('FT.INFO', async () => {
        const info = await client.ft.info('idx');
        assert.equal(info.index_name, 'idx');
        assert.equal(Number(info.num_docs), 10);
        assert.deepEqual(info.attributes.map(one => one.attribute), ['v', 'kind', 'cost']);
        assert.equal(Number(info.percent_indexed), 1);
    });
}

async function aggregations(client) {
    await step('FT.AGGREGATE groups, and a cursor reads on', async () => {
        const grouped = await client.ft.aggregate('idx', '*', {
            LOAD: ['@kind', '@cost'],
            STEPS: [{ type: 'GROUPBY', properties: '@kind',
                      REDUCE: [{ type: 'COUNT', AS: 'count' },
                               { type: 'SUM', property: '@cost', AS: 'sum' }] },
                    { type: 'SORTBY', BY: '@kind' }] });
        const rows = raw ? grouped.results.map(one => one.extra_attributes) : grouped.results;
        assert.deepEqual(rows.map(row => [row.kind, Number(row.count), Number(row.sum)]),
                         [['even|all', 5, 200], ['odd|all', 5, 250]]);
        if (raw)
            return;
        let page = await client.ft.aggregateWithCursor('idx', '*', { COUNT: 4, LOAD: '@cost' });
        let read = page.results.length;
        while (Number(page.cursor) !== 0) {
            page = await client.ft.cursorRead('idx', page.cursor);
            read += page.results.length;
        }
        assert.equal(read, 10);
    });
}

async function changes(client) {
    await step('a search sees the write before it', async () => {
        await client.hSet('item:new', { v: blob(100, 0), kind: 'fresh', price: '1' });
        const fresh = async () => ids(shaped(await client.ft.search('idx', '@kind:{fresh}')));
        assert.deepEqual(await fresh(), ['item:new']);
        await client.del('item:new');
        assert.deepEqual(await fresh(), []);
    });
    await step('an unknown index is an error in words that clients match', async () => {
        await refused(client.ft.search('none', '*'), 'no such index');
        await refused(client.ft.info('none'), 'Unknown index name');
    });
    await step('FT.DROPINDEX DD takes the hashes too', async () => {
        assert.equal(await client.ft.dropIndex('idx', { DD: true }), 'OK');
        assert.equal(await client.dbSize(), 0);
        assert.deepEqual([...await client.ft._list()], []);
    });
}

const client = await connect();
for (const part of [fill, searches, aggregations, changes])
    await part(client);
await client.close();
finish();
