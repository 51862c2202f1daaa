// fbin.mjs: writes vectors as fbin: u32 count, u32 dimensions, then count * dimensions float32, all
// little-endian (as the machines are that run this).

import { closeSync, openSync, renameSync, writeSync } from 'node:fs';

function writeAll(file, bytes) {
    for (let at = 0; at < bytes.length;) {
        at += writeSync(file, bytes, at, Math.min(bytes.length - at, 1 << 26));
    }
}

// Writes the file under another name first, so that a broken run leaves no half of it behind.
export function writeFile(path, ...parts) {
    const file = openSync(path + '.part', 'w');
    for (const part of parts) {
        writeAll(file, part);
    }
    closeSync(file);
    renameSync(path + '.part', path);
}

// vectors: a Float32Array of whole rows.
export function writeFbin(path, dimensions, vectors) {
    const header = Uint32Array.of(vectors.length / dimensions, dimensions);
    writeFile(path, new Uint8Array(header.buffer),
        new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength));
}
