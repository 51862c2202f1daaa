// embeddings.mjs: 778 texts with the sentence embeddings that somebody has made of them
// (@sap-ux/fiori-docs-embeddings, all-MiniLM-L6-v2, 384 dimensions), an Embeddings that looks texts
// up in them, and the answers that a search must give, found by comparing with every text.

import { readFileSync } from 'node:fs';
import { Embeddings } from '@langchain/core/embeddings';

const FOLDER = new URL('node_modules/@sap-ux/fiori-docs-embeddings/data/embeddings/',
                       import.meta.url);
const { dimensions } = JSON.parse(readFileSync(new URL('metadata.json', FOLDER), 'utf8'));
const bytes = readFileSync(new URL('embeddings.bin', FOLDER));

// One of the texts: what it says, its vector, and some of its metadata.
function textOf(line, at) {
    const record = JSON.parse(line);
    const offset = bytes.byteOffset + at * dimensions * 4;
    return { content: record.content, title: record.title, category: record.category,
             words: record.wordCount, tags: JSON.parse(record.tags_json),
             vector: [...new Float32Array(bytes.buffer, offset, dimensions)] };
}

export const texts = readFileSync(new URL('records.jsonl', FOLDER), 'utf8').trim().split('\n')
    .map(textOf);

const byContent = new Map(texts.map(text => [text.content, text.vector]));

export class LookedUp extends Embeddings {
    constructor() {
        super({});
    }

    async embedQuery(content) {
        return byContent.get(content);
    }

    async embedDocuments(contents) {
        return contents.map(content => byContent.get(content));
    }
}

export function cosineDistance(a, b) {
    let dot = 0, aa = 0, bb = 0;
    for (let i = 0; i < a.length; i++) {
        dot += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return 1 - dot / Math.sqrt(aa * bb);
}

// The k nearest of those that match, nearest first, as [text, distance].
export function nearest(vector, among, k, matches = () => true) {
    return among.filter(matches).map(text => [text, cosineDistance(vector, text.vector)])
        .sort((a, b) => a[1] - b[1]).slice(0, k);
}
