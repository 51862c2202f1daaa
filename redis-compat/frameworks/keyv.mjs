// keyv.mjs: keyv with @keyv/redis: namespaces, expiry, many keys at once, iteration, clear.
//
//     node keyv.mjs PORT

import assert from 'node:assert/strict';
import KeyvRedis, { createKeyv } from '@keyv/redis';
import Keyv from 'keyv';
import { finish, step } from '../clients/steps.mjs';
import { versionOf } from './version.mjs';

const url = `redis://127.0.0.1:${process.argv[2]}`;
const version = versionOf('@keyv/redis');
const MANY = 300;

async function values(keyv) {
    await step('what is set is got, of every JSON type', async () => {
        const rich = { text: 'käse', list: [1, 2, { deep: null }], number: 1.5, yes: true };
        assert.equal(await keyv.set('rich', rich), true);
        assert.deepEqual(await keyv.get('rich'), rich);
        assert.equal(await keyv.get('none'), undefined);
        assert.equal(await keyv.has('rich'), true);
        assert.equal(await keyv.has('none'), false);
    });
    await step('a value expires at its time', async () => {
        await keyv.set('short', 'v', 60);
        assert.equal(await keyv.get('short'), 'v');
        await new Promise(done => setTimeout(done, 120));
        assert.equal(await keyv.get('short'), undefined);
    });
    await step('a value is deleted once', async () => {
        await keyv.set('gone', 1);
        assert.equal(await keyv.delete('gone'), true);
        assert.equal(await keyv.delete('gone'), false);
        assert.equal(await keyv.get('gone'), undefined);
    });
    await step('a binary value survives', async () => {
        const bytes = Buffer.from([0, 255, 13, 10, 128]);
        await keyv.set('bytes', bytes);
        assert.deepEqual(Buffer.from(await keyv.get('bytes')), bytes);
    });
}

async function many(keyv) {
    await step('many are set, got and deleted at once', async () => {
        const entries = Array.from({ length: MANY }, (_, i) => ({ key: `m${i}`, value: { i } }));
        await keyv.setMany(entries);
        const keys = entries.map(entry => entry.key);
        const got = await keyv.getMany([...keys, 'none']);
        assert.equal(got.length, MANY + 1);
        assert.deepEqual(got[7], { i: 7 });
        assert.equal(got[MANY], undefined);
        assert.deepEqual(await keyv.hasMany(['m0', 'none', 'm299']), [true, false, true]);
        await keyv.deleteMany(keys.slice(0, 10));
        assert.equal(await keyv.get('m9'), undefined);
        assert.deepEqual(await keyv.get('m10'), { i: 10 });
    });
}

async function namespaces(first, second) {
    await step('namespaces do not see each other', async () => {
        await first.set('same', 'one');
        await second.set('same', 'two');
        assert.equal(await first.get('same'), 'one');
        assert.equal(await second.get('same'), 'two');
    });
    await step('iteration meets every key of its namespace and no other', async () => {
        const met = new Set();
        for await (const [key] of first.iterator())
            met.add(key);
        assert.ok(met.has('same') && met.has('m10') && met.has(`m${MANY - 1}`));
        assert.equal(met.size, MANY - 10 + 3);
    });
    await step('clear empties its namespace and no other', async () => {
        await first.clear();
        assert.equal(await first.get('same'), undefined);
        assert.equal(await first.get('m10'), undefined);
        assert.equal(await second.get('same'), 'two');
    });
}

console.log(`client keyv+@keyv/redis ${version} RESP2`);
const first = new Keyv({ store: new KeyvRedis(url), namespace: 'first' });
const second = createKeyv(url, { namespace: 'second' });
for (const keyv of [first, second])
    keyv.on('error', error => console.log(`keyv: ${error.message}`));
await values(first);
await many(first);
await namespaces(first, second);
await first.disconnect();
await second.disconnect();
finish();
