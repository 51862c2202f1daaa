// langchain_fluent.mjs: FluentRedisVectorStore of LangChain.js: every filter it has, on tag,
// number, text, place and time, alone and combined. What it finds is compared with all texts.
//
//     node langchain_fluent.mjs PORT

import assert from 'node:assert/strict';
import { Custom, FluentRedisVectorStore, Geo, Num, Tag, Text, Timestamp } from '@langchain/redis';
import { createClient } from 'redis-4';
import { finish, near, step } from '../clients/steps.mjs';
import { LookedUp, nearest, texts } from './embeddings.mjs';
import { versionOf } from './version.mjs';

const port = Number(process.argv[2]);
const DAY_S = 86400;
const START_S = Date.UTC(2024, 0, 1) / 1000;
const CITIES = [['San Francisco', -122.4194, 37.7749], ['Los Angeles', -118.2437, 34.0522],
                ['Seattle', -122.3321, 47.6062], ['New York', -74.006, 40.7128]];
const K = 8;

const some = texts.slice(0, 300).map((text, i) => ({
    ...text, city: CITIES[i % 4], made: START_S + i * DAY_S, hasNote: i % 3 !== 0,
    label: ['red', 'dark blue', 'a-b', 'x,y'][i % 4],
}));
const documents = some.map(text => ({
    pageContent: text.content,
    metadata: { title: text.title, category: text.category, words: text.words,
                place: [text.city[1], text.city[2]], made: new Date(text.made * 1000),
                label: text.label, tags: text.tags },
}));
const customSchema = [
    { name: 'title', type: 'text', options: { weight: 2 } },
    { name: 'category', type: 'tag' },
    { name: 'words', type: 'numeric', options: { sortable: true } },
    { name: 'place', type: 'geo' },
    { name: 'made', type: 'numeric', options: { sortable: true } },
    { name: 'label', type: 'tag', options: { separator: '|', caseSensitive: true } },
    { name: 'tags', type: 'tag', options: { separator: ';' } },
];

const at = day => new Date((START_S + day * DAY_S) * 1000);
const has = (text, word) => new RegExp(`\\b${word}\\b`, 'i').test(text.title);

// Each filter, and which texts it means.
const FILTERS = [
    ['Tag eq', Tag('category').eq('Sapui5'), text => text.category === 'Sapui5'],
    ['Tag eq with blanks', Tag('category').eq('Btp Fiori Tools'),
     text => text.category === 'Btp Fiori Tools'],
    ['Tag eq of many', Tag('label').eq(['red', 'a-b']), text => /red|a-b/.test(text.label)],
    ['Tag eq of a Set', Tag('label').eq(new Set(['x,y', 'dark blue'])),
     text => /x,y|dark blue/.test(text.label)],
    ['Tag ne', Tag('label').ne('red'), text => text.label !== 'red'],
    ['Tag of documents with several', Tag('tags').eq('deployment'),
     text => text.tags.some(tag => tag.trim().toLowerCase() === 'deployment')],
    ['Tag that minds case', Tag('label').eq('RED'), () => false],
    ['Num eq', Num('words').eq(texts[5].words), text => text.words === texts[5].words],
    ['Num ne', Num('words').ne(texts[5].words), text => text.words !== texts[5].words],
    ['Num gt', Num('words').gt(455), text => text.words > 455],
    ['Num gte', Num('words').gte(455), text => text.words >= 455],
    ['Num lt', Num('words').lt(455), text => text.words < 455],
    ['Num lte', Num('words').lte(455), text => text.words <= 455],
    ['Num between', Num('words').between(300, 500), text => text.words >= 300 && text.words <= 500],
    ['Text eq, a phrase', Text('title').eq('deployment configuration'),
     text => /deployment configuration/i.test(text.title)],
    ['Text match of all words', Text('title').match('configuration abap'),
     text => has(text, 'configur\\w*') && has(text, 'abap')],
    ['Text wildcard', Text('title').wildcard('deploy*'), text => has(text, 'deploy\\w*')],
    ['Text fuzzy', Text('title').fuzzy('configuratoin'), text => has(text, 'configuration')],
    ['Geo within', Geo('place').within(-122.4194, 37.7749, 100, 'km'),
     text => text.city[0] === 'San Francisco'],
    ['Geo within miles', Geo('place').within(-122.4194, 37.7749, 400, 'mi'),
     text => /San|Los/.test(text.city[0])],
    ['Geo outside', Geo('place').outside(-122.4194, 37.7749, 1000, 'km'),
     text => /Seattle|New/.test(text.city[0])],
    ['Timestamp gt', Timestamp('made').gt(at(250)), text => text.made > START_S + 250 * DAY_S],
    ['Timestamp between', Timestamp('made').between(at(10), at(19)),
     text => text.made >= START_S + 10 * DAY_S && text.made <= START_S + 19 * DAY_S],
    ['Timestamp eq of a number', Timestamp('made').eq(START_S + 42 * DAY_S),
     text => text.made === START_S + 42 * DAY_S],
    ['Custom', Custom('(@label:{red} @words:[300 +inf])'),
     text => text.label === 'red' && text.words >= 300],
    ['and', Tag('label').eq('red').and(Num('words').gt(400)),
     text => text.label === 'red' && text.words > 400],
    ['or', Tag('label').eq('red').or(Num('words').gt(800)),
     text => text.label === 'red' || text.words > 800],
    ['and with or of places', Geo('place').within(-74, 40.7, 50, 'km')
        .or(Timestamp('made').lt(at(30))).and(Tag('category').ne('Sapui5')),
     text => (text.city[0] === 'New York' || text.made < START_S + 30 * DAY_S) &&
             text.category !== 'Sapui5'],
];

async function filters(store) {
    for (const [name, filter, matches] of FILTERS) {
        await step(`${name}: ${filter}`, async () => {
            const wanted = nearest(some[123].vector, some, K, matches);
            const found = await store.similaritySearchVectorWithScore(some[123].vector, K, filter);
            assert.deepEqual(found.map(([document]) => document.pageContent),
                             wanted.map(([text]) => text.content));
            found.forEach(([, distance], i) => near(distance, wanted[i][1], 0.001));
        });
    }
}

async function rest(store, client) {
    await step('metadata comes back typed', async () => {
        const [[found]] = await store.similaritySearchVectorWithScore(some[2].vector, 1);
        assert.deepEqual(found.metadata.place, [some[2].city[1], some[2].city[2]]);
        assert.equal(found.metadata.words, some[2].words);
        assert.equal(found.metadata.made, some[2].made);
        assert.equal(found.metadata.category, some[2].category);
    });
    await step('deletion by ids', async () => {
        const ids = (await client.keys('doc:fluent:*')).map(key => key.slice('doc:fluent:'.length));
        await store.delete({ ids: ids.slice(0, 100) });
        const left = await store.similaritySearchVectorWithScore(some[0].vector, 300);
        assert.equal(left.length, 200);
    });
    await step('a second store finds the index that is there', async () => {
        const again = new FluentRedisVectorStore(new LookedUp(), {
            redisClient: client, indexName: 'fluent', customSchema });
        assert.equal(await again.checkIndexState(), 'default');
        assert.equal((await again.similaritySearch(some[0].content, 3)).length, 3);
    });
    await step('deletion of all', async () => {
        await store.delete({ deleteAll: true });
        assert.equal(await store.checkIndexState(), 'none');
        assert.equal(await client.dbSize(), 0);
    });
}

console.log(`client LangChain.js:FluentRedisVectorStore ${versionOf('@langchain/redis')} RESP2`);
const client = createClient({ url: `redis://127.0.0.1:${port}` });
client.on('error', error => console.log(`node-redis: ${error.message}`));
await client.connect();
const store = new FluentRedisVectorStore(new LookedUp(), {
    redisClient: client, indexName: 'fluent', customSchema });
await step('documents of a schema are added', () => store.addDocuments(documents));
await filters(store);
await rest(store, client);
await client.quit();
finish();
