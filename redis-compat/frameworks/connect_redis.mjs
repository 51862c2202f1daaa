// connect_redis.mjs: an express server whose sessions connect-redis keeps: what one request puts
// into a session the next one finds, also after the web server has started again.
//
//     node connect_redis.mjs PORT

import assert from 'node:assert/strict';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import { finish, step } from '../clients/steps.mjs';
import { versionOf } from './version.mjs';

const port = Number(process.argv[2]);
const version = versionOf('connect-redis');
const TTL_S = 100;

// A web server that counts the visits of each session; `site` is what it is asked at.
async function serve(client) {
    const store = new RedisStore({ client, prefix: 'sess:', ttl: TTL_S });
    const app = express();
    app.use(session({ store, secret: 'words', resave: false, saveUninitialized: false }));
    app.get('/', (request, response) => {
        request.session.visits = (request.session.visits ?? 0) + 1;
        response.json({ visits: request.session.visits, id: request.session.id });
    });
    app.get('/leave', (request, response) => {
        request.session.destroy(() => response.json({ left: true }));
    });
    const server = await new Promise(done => {
        const listening = app.listen(0, '127.0.0.1', () => done(listening));
    });
    return { store, server, site: `http://127.0.0.1:${server.address().port}` };
}

async function visit(site, cookie, path = '/') {
    const response = await fetch(site + path, { headers: cookie ? { cookie } : {} });
    assert.equal(response.status, 200);
    return { said: await response.json(),
             cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie };
}

async function sessions(client, first) {
    let cookie, id;
    await step('a session lives from request to request', async () => {
        ({ cookie, said: { id } } = await visit(first.site));
        for (const visits of [2, 3])
            assert.equal((await visit(first.site, cookie)).said.visits, visits);
        assert.equal((await visit(first.site)).said.visits, 1);
    });
    await step('its key expires when the session does', async () => {
        const ttl = await client.ttl(`sess:${id}`);
        assert.ok(ttl > TTL_S - 20 && ttl <= TTL_S, `ttl ${ttl}`);
    });
    await step('another web server finds it', async () => {
        const second = await serve(client);
        assert.equal((await visit(second.site, cookie)).said.visits, 4);
        second.server.close();
    });
    await step('leaving destroys it', async () => {
        await visit(first.site, cookie, '/leave');
        assert.equal(await client.exists(`sess:${id}`), 0);
        assert.equal((await visit(first.site, cookie)).said.visits, 1);
    });
}

async function wholeStore(store) {
    const call = (name, ...args) => new Promise((done, fail) =>
        store[name](...args, (error, value) => error ? fail(error) : done(value)));
    await step('all sessions are listed, counted, touched and cleared', async () => {
        await call('clear');
        for (let i = 0; i < 250; i++)
            await call('set', `s${i}`, { cookie: { originalMaxAge: null }, i });
        assert.equal(await call('length'), 250);
        assert.equal((await call('ids')).length, 250);
        assert.equal((await call('all')).find(one => one.id === 's77').i, 77);
        await call('touch', 's77', { cookie: { expires: new Date(Date.now() + 5000) } });
        assert.equal((await call('get', 's77')).i, 77);
        await call('destroy', 's77');
        assert.equal(await call('get', 's77') ?? null, null);
        await call('clear');
        assert.equal(await call('length'), 0);
    });
}

console.log(`client connect-redis ${version} RESP3`);
const client = createClient({ url: `redis://127.0.0.1:${port}` });
client.on('error', error => console.log(`node-redis: ${error.message}`));
await client.connect();
const first = await serve(client);
await sessions(client, first);
await wholeStore(first.store);
first.server.close();
await client.close();
finish();
