// langgraph_saver.mjs: graphs of LangGraph.js whose state RedisSaver and ShallowRedisSaver keep:
// they go on where they were, are interrupted and resumed, and go back in time.
//
//     node langgraph_saver.mjs PORT

import assert from 'node:assert/strict';
import { Annotation, Command, END, START, StateGraph, interrupt } from '@langchain/langgraph';
import { RedisSaver } from '@langchain/langgraph-checkpoint-redis';
import { ShallowRedisSaver } from '@langchain/langgraph-checkpoint-redis/shallow';
import { createClient } from 'redis-4';
import { finish, step } from '../clients/steps.mjs';
import { versionOf } from './version.mjs';

const url = `redis://127.0.0.1:${process.argv[2]}`;
const State = Annotation.Root({
    count: Annotation({ reducer: (a, b) => a + b, default: () => 0 }),
    log: Annotation({ reducer: (a, b) => a.concat(b), default: () => [] }),
});

// Counts, asks when it is told to, and counts again.
function graphOf(checkpointer) {
    return new StateGraph(State)
        .addNode('first', () => ({ count: 1, log: ['first'] }))
        .addNode('ask', state => state.log.includes('ask me')
            ? { log: [`answer: ${interrupt({ question: 'how many?' })}`] } : {})
        .addNode('second', () => ({ count: 10, log: ['second'] }))
        .addEdge(START, 'first').addEdge('first', 'ask').addEdge('ask', 'second')
        .addEdge('second', END)
        .compile({ checkpointer });
}

const thread = id => ({ configurable: { thread_id: id } });

async function everySaver(saver, name) {
    const graph = graphOf(saver);
    await step(`${name}: a thread goes on where it was`, async () => {
        assert.equal((await graph.invoke({ log: ['a'] }, thread('t1'))).count, 11);
        const second = await graph.invoke({ log: ['b'] }, thread('t1'));
        assert.equal(second.count, 22);
        assert.deepEqual(second.log, ['a', 'first', 'second', 'b', 'first', 'second']);
    });
    await step(`${name}: threads are apart`, async () => {
        assert.equal((await graph.invoke({ log: ['c'] }, thread('t2'))).count, 11);
        assert.equal((await graph.getState(thread('t1'))).values.count, 22);
        assert.deepEqual((await graph.getState(thread('none'))).values, {});
    });
    await step(`${name}: an interrupted run is resumed`, async () => {
        await graph.invoke({ log: ['ask me'] }, thread('t3'));
        const waiting = await graph.getState(thread('t3'));
        assert.deepEqual(waiting.next, ['ask']);
        assert.deepEqual(waiting.tasks[0].interrupts[0].value, { question: 'how many?' });
        const resumed = await graph.invoke(new Command({ resume: 'seven' }), thread('t3'));
        assert.deepEqual(resumed.log, ['ask me', 'first', 'answer: seven', 'second']);
    });
    await step(`${name}: state is changed from outside`, async () => {
        await graph.updateState(thread('t2'), { count: 100 });
        assert.equal((await graph.getState(thread('t2'))).values.count, 111);
    });
}

async function history(saver) {
    const graph = graphOf(saver);
    const all = async (...args) => {
        const found = [];
        for await (const one of saver.list(...args))
            found.push(one);
        return found;
    };
    await step('RedisSaver: every step of a thread is listed, newest first', async () => {
        const tuples = await all(thread('t1'), { limit: 100 });
        assert.equal(tuples.length, 10);
        const ids = tuples.map(one => one.config.configurable.checkpoint_id);
        assert.deepEqual(ids, [...ids].sort().reverse());
        assert.equal(tuples[0].checkpoint.channel_values.count, 22);
    });
    await step('RedisSaver: listed by metadata, with a limit, before a checkpoint', async () => {
        const inputs = await all(thread('t1'), { filter: { source: 'input' } });
        assert.equal(inputs.length, 2);
        assert.equal((await all(thread('t1'), { limit: 3 })).length, 3);
        const steps = await all(thread('t1'), { filter: { step: 1 } });
        assert.equal(steps.length, 1);
        const before = await all(thread('t1'), { before: inputs[0].config, limit: 50 });
        assert.equal(before.length, 5);
    });
    await step('RedisSaver: a run from an earlier checkpoint', async () => {
        const states = [];
        for await (const state of graph.getStateHistory(thread('t1')))
            states.push(state);
        const early = states.find(state => state.values.count === 11);
        const forked = await graph.invoke({ log: ['fork'] }, early.config);
        assert.equal(forked.count, 22);
        assert.deepEqual(forked.log.slice(-3), ['fork', 'first', 'second']);
    });
    await step('RedisSaver: a thread is deleted as a whole', async () => {
        await saver.deleteThread('t1');
        assert.equal(await saver.get(thread('t1')), undefined);
        assert.deepEqual(await all(thread('t1')), []);
        assert.notEqual(await saver.get(thread('t2')), undefined);
    });
}

async function expiring(client) {
    await step('RedisSaver: threads expire, and reading keeps them alive', async () => {
        const saver = new RedisSaver(client, { defaultTTL: 2, refreshOnRead: true });
        await graphOf(saver).invoke({ log: ['a'] }, thread('ttl'));
        const keys = await client.keys('checkpoint:ttl:*');
        assert.ok(keys.length > 0);
        for (const key of keys) {
            const ttl = await client.ttl(key);
            assert.ok(ttl > 110 && ttl <= 120, `ttl ${ttl} of ${key}`);
        }
        const newest = keys.sort().at(-1);
        await client.expire(newest, 20);
        await saver.getTuple(thread('ttl'));
        assert.ok(await client.ttl(newest) > 110);
    });
}

async function shallow(client, saver) {
    await step('ShallowRedisSaver: one checkpoint for each thread', async () => {
        assert.equal((await client.keys('checkpoint:t1:*')).length, 1);
        const found = [];
        for await (const one of saver.list(null, { filter: { source: 'loop' } }))
            found.push(one.config.configurable.thread_id);
        assert.deepEqual(found.sort(), ['t1', 't3']);
    });
    await step('ShallowRedisSaver: a thread is deleted', async () => {
        await saver.deleteThread('t1');
        assert.equal(await saver.get(thread('t1')), undefined);
    });
}

const version = versionOf('@langchain/langgraph-checkpoint-redis');
console.log(`client LangGraph.js:RedisSaver,Shallow ${version} RESP2`);
const client = createClient({ url });
client.on('error', error => console.log(`node-redis: ${error.message}`));
await client.connect();

const saver = await RedisSaver.fromUrl(url);
await everySaver(saver, 'RedisSaver');
await history(saver);
await expiring(client);
await saver.end();

await client.flushAll();
const small = await ShallowRedisSaver.fromUrl(url);
await everySaver(small, 'ShallowRedisSaver');
await shallow(client, small);
await small.end();
await client.quit();
finish();
