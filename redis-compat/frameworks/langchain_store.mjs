// langchain_store.mjs: RedisVectorStore of LangChain.js: documents with metadata, filters of
// strings and of a schema, scores, expiry, deletion. What it finds is compared with all texts.
//
//     node langchain_store.mjs PORT

import assert from 'node:assert/strict';
import { RedisVectorStore } from '@langchain/redis';
import { createClient, SchemaFieldTypes } from 'redis-4';
import { finish, near, step } from '../clients/steps.mjs';
import { LookedUp, nearest, texts } from './embeddings.mjs';
import { versionOf } from './version.mjs';

const port = Number(process.argv[2]);
const some = texts.slice(0, 400);
const documents = some.map((text, i) => ({
    pageContent: text.content,
    metadata: { title: text.title, shelf: `a row shelf${i % 8} end`, category: text.category,
                words: text.words },
}));
const schema = {
    category: { type: SchemaFieldTypes.TAG, required: true },
    words: { type: SchemaFieldTypes.NUMERIC, SORTABLE: true },
    title: { type: SchemaFieldTypes.TEXT },
};

// Hits are those of comparing with every text: the same contents in the same order and as far.
function sameAs(found, wanted) {
    assert.deepEqual(found.map(([document]) => document.pageContent),
                     wanted.map(([text]) => text.content));
    found.forEach(([, distance], i) => near(distance, wanted[i][1], 0.001));
}

async function plain(client) {
    const store = new RedisVectorStore(new LookedUp(), { redisClient: client, indexName: 'plain' });
    await step('an index is made, documents are added, and searched', async () => {
        assert.equal(await store.checkIndexExists(), false);
        await store.addDocuments(documents);
        assert.equal(await store.checkIndexExists(), true);
        sameAs(await store.similaritySearchWithScore(some[33].content, 5),
               nearest(some[33].vector, some, 5));
    });
    await step('metadata comes back as it was', async () => {
        const [first] = await store.similaritySearch(some[7].content, 1);
        assert.deepEqual(first.metadata, documents[7].metadata);
    });
    await step('filters by words of the metadata', async () => {
        const found = await store.similaritySearchWithScore(some[3].content, 10,
                                                            ['shelf3', 'shelf5']);
        sameAs(found, nearest(some[3].vector, some, 10,
                              text => [3, 5].includes(some.indexOf(text) % 8)));
    });
    await step('a filter that nothing matches finds nothing', async () => {
        assert.deepEqual(await store.similaritySearch(some[3].content, 4, ['shelf99']), []);
    });
    await step('a filter as a string of the query language', async () => {
        const found = await store.similaritySearchWithScore(some[3].content, 4, 'shelf1 row');
        sameAs(found, nearest(some[3].vector, some, 4, text => some.indexOf(text) % 8 === 1));
    });
    await step('more documents go to the same index', async () => {
        await store.addDocuments(texts.slice(400, 500).map(text => ({ pageContent: text.content,
                                                                      metadata: {} })));
        const found = await store.similaritySearchWithScore(texts[450].content, 3);
        sameAs(found, nearest(texts[450].vector, texts.slice(0, 500), 3));
    });
    await step('deletion by ids', async () => {
        await store.delete({ ids: ['33', '34'] });
        const contents = (await store.similaritySearch(some[33].content, 5))
            .map(document => document.pageContent);
        assert.equal(contents.length, 5);
        assert.ok(!contents.includes(some[33].content));
    });
    await step('as a retriever', async () => {
        const retriever = store.asRetriever({ k: 3 });
        assert.equal((await retriever.invoke(some[50].content)).length, 3);
    });
    await step('deletion of all takes index and documents', async () => {
        await store.delete({ deleteAll: true });
        assert.equal(await store.checkIndexExists(), false);
        assert.equal(await client.dbSize(), 0);
    });
}

async function withSchema(client) {
    const store = new RedisVectorStore(new LookedUp(), {
        redisClient: client, indexName: 'schema', customSchema: schema,
        indexOptions: { ALGORITHM: 'FLAT', DISTANCE_METRIC: 'COSINE' },
    });
    const search = (i, k, filter) =>
        store.similaritySearchVectorWithScoreAndMetadata(some[i].vector, k, filter);
    await step('a schema of tag, number and text', async () => {
        await store.addDocuments(documents);
        sameAs(await search(12, 6, { category: 'Btp Fiori Tools' }),
               nearest(some[12].vector, some, 6, text => text.category === 'Btp Fiori Tools'));
        sameAs(await search(12, 6, { words: { min: 300, max: 400 } }),
               nearest(some[12].vector, some, 6, text => text.words >= 300 && text.words <= 400));
        sameAs(await search(12, 6, { words: { min: 700 }, category: 'Btp Fiori Tools' }),
               nearest(some[12].vector, some, 6,
                       text => text.words >= 700 && text.category === 'Btp Fiori Tools'));
    });
    await step('text of the schema', async () => {
        const found = await search(12, 5, { title: 'deployment' });
        assert.ok(found.length > 0);
        for (const [document] of found)
            assert.match(document.metadata.title, /deploy/i);
    });
    await step('documents against the schema are refused by LangChain itself', async () => {
        await assert.rejects(store.addDocuments([{ pageContent: some[0].content, metadata: {} }]),
                             /category/);
    });
    await store.delete({ deleteAll: true });
}

async function expiring(client) {
    const store = new RedisVectorStore(new LookedUp(), {
        redisClient: client, indexName: 'ttl', ttl: 1, filter: ['kept'],
    });
    await step('documents expire, and leave no ghosts in the index', async () => {
        await store.addDocuments(some.slice(0, 20).map((text, i) => ({
            pageContent: text.content, metadata: { mark: i < 5 ? 'is kept here' : 'is other' } })));
        assert.equal((await store.similaritySearch(some[9].content, 20)).length, 5);
        await new Promise(done => setTimeout(done, 1200));
        assert.equal((await store.similaritySearch(some[9].content, 20)).length, 0);
        const info = await client.ft.info('ttl');
        assert.equal(Number(info.numDocs), 0);
    });
}

console.log(`client LangChain.js:RedisVectorStore ${versionOf('@langchain/redis')} RESP2`);
const client = createClient({ url: `redis://127.0.0.1:${port}` });
client.on('error', error => console.log(`node-redis: ${error.message}`));
await client.connect();
for (const part of [plain, withSchema, expiring])
    await part(client);
await client.quit();
finish();
