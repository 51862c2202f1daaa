// fashion784.mjs FROM TO: turns the images of Fashion-MNIST, 28 x 28 grey pixels of 0 to 255, into
// vectors of 784 floats. FROM holds the idx files, TO gets train.fbin and test.fbin.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { writeFbin } from './fbin.mjs';

const IDX_BYTES_3D = 0x00000803; // unsigned bytes in three dimensions; then the sizes, big-endian
const IDX_HEADER_SIZE = 16;

function convert(from, to, expectedCount) {
    const idx = gunzipSync(readFileSync(from));
    const [magic, count, rows, columns] = [0, 4, 8, 12].map((at) => idx.readUInt32BE(at));
    const dimensions = rows * columns;
    if (magic !== IDX_BYTES_3D || count !== expectedCount || dimensions !== 784 ||
        idx.length !== IDX_HEADER_SIZE + count * dimensions) {
        throw new Error(`${from}: not ${expectedCount} images of 28 x 28 in idx format`);
    }
    writeFbin(to, dimensions, Float32Array.from(idx.subarray(IDX_HEADER_SIZE)));
    console.log(`fashion784: ${to}, ${count} images, ${dimensions} dimensions`);
}

const [from, to] = process.argv.slice(2);
convert(`${from}/train-images-idx3-ubyte.gz`, `${to}/train.fbin`, 60000);
convert(`${from}/t10k-images-idx3-ubyte.gz`, `${to}/test.fbin`, 10000);
