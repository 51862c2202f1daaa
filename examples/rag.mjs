// rag.mjs: retrieval with LangChain.js as its documents have it; nothing here knows of vdb but the
// address. `make example-rag` starts a server and runs it.
//
//     node rag.mjs redis://127.0.0.1:6379

import { FluentRedisVectorStore, Num, Tag, Text } from '@langchain/redis';
import { createClient } from 'redis';
import { TextEmbeddings, texts } from './texts.mjs';

const QUESTIONS = [
    ['How do I deploy an application to Cloud Foundry?'],
    ['How do I deploy an application to Cloud Foundry?', 'in the samples alone',
     Tag('category').eq('Fiori Samples')],
    ['What are draft documents and how are they edited?'],
    ['What are draft documents and how are they edited?', 'in short texts about OData V4',
     Num('words').lt(600).and(Text('content').match('odata v4'))],
    ['Test a table with OPA5', 'with "actions" in the title, not of the samples',
     Text('title').wildcard('*actions*').and(Tag('category').ne('Fiori Samples'))],
];
const HITS = 3, REPEATS = 50;

const client = createClient({ url: process.argv[2] });
await client.connect();

const store = new FluentRedisVectorStore(new TextEmbeddings({}), {
    redisClient: client, indexName: 'fiori',
    customSchema: [{ name: 'title', type: 'text' }, { name: 'category', type: 'tag' },
                   { name: 'words', type: 'numeric' }],
});
const started = performance.now();
await store.addDocuments(texts.map(({ content, title, category, words }) => (
    { pageContent: content, metadata: { title, category, words } })));
console.log(`${texts.length} texts are in the store after ${ms(performance.now() - started)}, ` +
            'and the next search finds them.');

function ms(time) {
    return `${time.toFixed(time < 10 ? 2 : 0)} ms`;
}

// How long a search takes, its vector at hand: the median of many.
async function timeOf(vector, filter) {
    const times = [];
    for (let i = 0; i < REPEATS; i++) {
        const start = performance.now();
        await store.similaritySearchVectorWithScore(vector, HITS, filter);
        times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[REPEATS / 2];
}

for (const [question, words, filter] of QUESTIONS) {
    const vector = await store.embeddings.embedQuery(question);
    const found = await store.similaritySearchVectorWithScore(vector, HITS, filter);
    console.log(`\n${question}${words ? `  (${words})` : ''}`);
    if (filter)
        console.log(`  filter  ${filter}`);
    for (const [{ metadata }, distance] of found)
        console.log(`  ${distance.toFixed(3)}  ${metadata.title.slice(0, 72)}  ` +
                    `[${metadata.category}]`);
    console.log(`  ${ms(await timeOf(vector, filter))} a search`);
}

await store.delete({ deleteAll: true });
await client.quit();
