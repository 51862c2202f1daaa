// texts.mjs: 778 texts about SAP Fiori with their sentence embeddings, from the npm package
// @sap-ux/fiori-docs-embeddings (all-MiniLM-L6-v2, 384 dimensions), and vectors of questions.
//
// An application asks its model for the vector of a question. There is no model here, so a question
// gets the mean of the texts whose titles share its rarest words: good enough to find texts that
// share none of them. Put your own Embeddings in its place, and the rest stays as it is.

import { readFileSync } from 'node:fs';
import { Embeddings } from '@langchain/core/embeddings';

const FOLDER = new URL('node_modules/@sap-ux/fiori-docs-embeddings/data/embeddings/',
                       import.meta.url);
const DIMENSIONS = 384;
const NEAR_TITLES = 4;
const COMMON = new Set('how do can what which where are is and the to an of for in on with my'
    .split(' '));

const bytes = readFileSync(new URL('embeddings.bin', FOLDER));

export const texts = readFileSync(new URL('records.jsonl', FOLDER), 'utf8').trim().split('\n')
    .map((line, at) => {
        const { content, title, category, wordCount } = JSON.parse(line);
        const start = bytes.byteOffset + at * DIMENSIONS * 4;
        return { content, title, category, words: wordCount,
                 vector: [...new Float32Array(bytes.buffer, start, DIMENSIONS)] };
    });

// The words of a text without what is common and without endings: deploying, deployment: deploy.
function stems(text) {
    const words = text.toLowerCase().match(/[a-z0-9]{2,}/g) ?? [];
    return new Set(words.filter(word => !COMMON.has(word))
        .map(word => word.replace(/(ing|ments?|s|ed)$/, '')));
}

const titles = texts.map(text => stems(text.title));
const ofContent = new Map(texts.map(text => [text.content, text.vector]));

function vectorOfQuestion(question) {
    const scores = new Map();
    for (const word of stems(question)) {
        const having = titles.flatMap((title, at) => title.has(word) ? [at] : []);
        const rarity = Math.log(texts.length / having.length) ** 2;
        for (const at of having)
            scores.set(at, (scores.get(at) ?? 0) + rarity / Math.sqrt(titles[at].size));
    }
    const best = [...scores].sort((a, b) => b[1] - a[1]).slice(0, NEAR_TITLES);
    const sum = new Array(DIMENSIONS).fill(0);
    for (const [at, score] of best)
        texts[at].vector.forEach((number, i) => { sum[i] += score * number; });
    return sum;
}

export class TextEmbeddings extends Embeddings {
    async embedDocuments(contents) {
        return contents.map(content => ofContent.get(content));
    }

    async embedQuery(question) {
        return ofContent.get(question) ?? vectorOfQuestion(question);
    }
}
