// langgraph_store.mjs: RedisStore of LangGraph.js: items in namespaces, search by their values and
// by meaning, expiry, namespaces listed.
//
//     node langgraph_store.mjs PORT

import assert from 'node:assert/strict';
import { RedisStore } from '@langchain/langgraph-checkpoint-redis/store';
import { createClient } from 'redis-4';
import { finish, near, step } from '../clients/steps.mjs';
import { LookedUp, nearest, texts } from './embeddings.mjs';
import { versionOf } from './version.mjs';

const url = `redis://127.0.0.1:${process.argv[2]}`;
const some = texts.slice(0, 60);

async function items(store) {
    await step('an item is put, got, replaced and deleted', async () => {
        await store.put(['users', 'ann'], 'food', { likes: 'tea', times: 3 });
        const item = await store.get(['users', 'ann'], 'food');
        assert.deepEqual(item.value, { likes: 'tea', times: 3 });
        assert.deepEqual(item.namespace, ['users', 'ann']);
        assert.ok(item.created_at instanceof Date);
        await store.put(['users', 'ann'], 'food', { likes: 'soup', times: 4 });
        assert.equal((await store.get(['users', 'ann'], 'food')).value.likes, 'soup');
        assert.equal(await store.get(['users', 'bob'], 'food'), null);
        await store.delete(['users', 'ann'], 'food');
        assert.equal(await store.get(['users', 'ann'], 'food'), null);
    });
    await step('keys with what queries would take for themselves', async () => {
        for (const key of ['a-b', 'c:d', 'e.f g', '{h}|i', 'käse'])
            await store.put(['odd'], key, { key });
        for (const key of ['a-b', 'c:d', 'e.f g', '{h}|i', 'käse'])
            assert.equal((await store.get(['odd'], key)).value.key, key);
    });
    await step('search in a namespace, filtered by values', async () => {
        for (let i = 0; i < 20; i++)
            await store.put(['facts', i % 2 ? 'odd' : 'even'], `f${i}`, { n: i });
        assert.equal((await store.search(['facts'], { limit: 50 })).length, 20);
        assert.equal((await store.search(['facts', 'odd'], { limit: 50 })).length, 10);
        const big = await store.search(['facts', 'odd'],
                                       { limit: 50, filter: { n: { $gte: 15 } } });
        assert.deepEqual(big.map(item => item.value.n).sort((a, b) => a - b), [15, 17, 19]);
        assert.equal((await store.search(['facts'], { limit: 5, offset: 18 })).length, 2);
    });
    await step('namespaces are listed', async () => {
        const all = await store.listNamespaces({ prefix: ['facts'] });
        assert.deepEqual(all, [['facts', 'even'], ['facts', 'odd']]);
        assert.deepEqual(await store.listNamespaces({ prefix: ['facts'], maxDepth: 1 }),
                         [['facts']]);
    });
    await step('a batch of operations', async () => {
        const results = await store.batch([
            { namespace: ['batch'], key: 'one', value: { v: 1 } },
            { namespace: ['batch'], key: 'one' },
            { namespacePrefix: ['batch'], limit: 10, offset: 0 },
        ]);
        assert.deepEqual(results[1].value, { v: 1 });
        assert.equal(results[2].length, 1);
    });
}

async function meaning(store) {
    await step('search by meaning', async () => {
        for (const [i, text] of some.entries())
            await store.put(['docs', i % 2 ? 'odd' : 'even'], `d${i}`, { text: text.content });
        const found = await store.search(['docs'], { query: some[17].content, limit: 5 });
        const wanted = nearest(some[17].vector, some, 5);
        assert.deepEqual(found.map(item => item.value.text), wanted.map(([text]) => text.content));
        found.forEach((item, i) => near(item.score, 1 - wanted[i][1] / 2, 0.001));
    });
    await step('what is deleted is found no longer', async () => {
        await store.delete(['docs', 'odd'], 'd17');
        const [first] = await store.search(['docs'], { query: some[17].content, limit: 5 });
        assert.notEqual(first.key, 'd17');
    });
}

async function expiring(client) {
    const store = await RedisStore.fromConnString(url, { ttl: { defaultTTL: 0.02 } });
    await step('items expire', async () => {
        await store.put(['brief'], 'k', { v: 1 });
        assert.deepEqual((await store.get(['brief'], 'k')).value, { v: 1 });
        await new Promise(done => setTimeout(done, 1200));
        assert.equal(await store.get(['brief'], 'k'), null);
    });
    await step('statistics count what is there', async () => {
        const statistics = await store.getStatistics();
        const keys = await client.keys('store:*');
        assert.equal(statistics.totalDocuments, keys.length);
    });
    await store.close();
}

const version = versionOf('@langchain/langgraph-checkpoint-redis');
console.log(`client LangGraph.js:RedisStore ${version} RESP2`);
const client = createClient({ url });
client.on('error', error => console.log(`node-redis: ${error.message}`));
await client.connect();
const store = await RedisStore.fromConnString(url, {
    index: { dims: some[0].vector.length, embed: new LookedUp(), distanceType: 'cosine',
             fields: ['text'] } });
await items(store);
await meaning(store);
await store.close();
await expiring(client);
await client.quit();
finish();
