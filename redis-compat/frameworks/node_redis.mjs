// node_redis.mjs: what the programs for the modules of node-redis begin with. Their words:
//
//     node PROGRAM redis|redis-5 2|3 PORT

import { versionOf } from './version.mjs';

const [module, resp, port] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

export const library = await import(module);

// node-redis 5 hands out what RESP3 brings as it is, if at all: only the shape it asks for matters.
export const raw = module === 'redis-5' && resp === 3;

export const shaped = found => raw ? {
    total: found.total_results,
    documents: found.results.map(one => ({ id: one.id, value: one.extra_attributes })),
} : found;

export const ids = found => found.documents.map(document => document.id);

export async function connect() {
    console.log(`client node-redis ${versionOf(module)} RESP${resp}`);
    const client = library.createClient({ RESP: resp, unstableResp3: raw,
                                          socket: { host: '127.0.0.1', port } });
    client.on('error', error => console.log(`node-redis: ${error.message}`));
    await client.connect();
    return client;
}
