// langchain_memory.mjs: RedisCache and RedisChatMessageHistory of LangChain.js.
//
//     node langchain_memory.mjs PORT

import assert from 'node:assert/strict';
import { AIMessage, HumanMessage, SystemMessage } from '@langchain/core/messages';
import { RedisCache, RedisChatMessageHistory } from '@langchain/redis';
import { createClient } from 'redis-4';
import { finish, step } from '../clients/steps.mjs';
import { versionOf } from './version.mjs';

const url = `redis://127.0.0.1:${process.argv[2]}`;

async function cache(client) {
    const cached = new RedisCache(client);
    await step('an answer is cached by prompt and model', async () => {
        assert.equal(await cached.lookup('capital of France?', 'model-1'), null);
        await cached.update('capital of France?', 'model-1',
                            [{ text: 'Paris' }, { text: 'Paname' }]);
        const found = await cached.lookup('capital of France?', 'model-1');
        assert.deepEqual(found.map(one => one.text), ['Paris', 'Paname']);
        assert.equal(await cached.lookup('capital of France?', 'model-2'), null);
    });
    await step('a message is cached with all it carries', async () => {
        const message = new AIMessage({ content: 'käse', additional_kwargs: { n: 1 } });
        await cached.update('p', 'm', [{ text: 'käse', message }]);
        const [found] = await cached.lookup('p', 'm');
        assert.ok(found.message instanceof AIMessage);
        assert.equal(found.message.content, 'käse');
        assert.deepEqual(found.message.additional_kwargs, { n: 1 });
    });
}

async function history(client) {
    const chat = new RedisChatMessageHistory({ sessionId: 'chat:1', sessionTTL: 100, client });
    await step('messages come back in their order', async () => {
        assert.deepEqual(await chat.getMessages(), []);
        await chat.addMessage(new SystemMessage('be brief'));
        await chat.addUserMessage('hello');
        await chat.addAIMessage('hi');
        const messages = await chat.getMessages();
        assert.deepEqual(messages.map(one => one.content), ['be brief', 'hello', 'hi']);
        assert.ok(messages[0] instanceof SystemMessage && messages[1] instanceof HumanMessage &&
                  messages[2] instanceof AIMessage);
    });
    await step('the session expires as a whole', async () => {
        const ttl = await client.ttl('chat:1');
        assert.ok(ttl > 90 && ttl <= 100, `ttl ${ttl}`);
    });
    await step('many messages, another session beside, and clear', async () => {
        const other = new RedisChatMessageHistory({ sessionId: 'chat:2', config: { url } });
        for (let i = 0; i < 300; i++)
            await chat.addUserMessage(`message ${i}`);
        await other.addUserMessage('mine');
        const messages = await chat.getMessages();
        assert.equal(messages.length, 303);
        assert.equal(messages[302].content, 'message 299');
        await chat.clear();
        assert.deepEqual(await chat.getMessages(), []);
        assert.equal((await other.getMessages()).length, 1);
        await other.client.quit();
    });
}

console.log(`client LangChain.js:RedisCache,ChatHistory ${versionOf('@langchain/redis')} RESP2`);
const client = createClient({ url });
client.on('error', error => console.log(`node-redis: ${error.message}`));
await client.connect();
await cache(client);
await history(client);
await client.quit();
finish();
