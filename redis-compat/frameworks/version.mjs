// version.mjs: the version of a package as it is installed; packages do not all export it.

import { readFileSync } from 'node:fs';

export function versionOf(name) {
    const place = new URL(`node_modules/${name}/package.json`, import.meta.url);
    return JSON.parse(readFileSync(place, 'utf8')).version;
}
