// steps.mjs: a test as a list of named steps; the last line is what tests/all.sh sums up.

import assert from 'node:assert/strict';

const counts = { passed: 0, failed: 0 };

export async function step(name, run) {
    try {
        await run();
        counts.passed++;
    } catch (error) {
        counts.failed++;
        console.log(`FAIL ${name}\n${error.stack ?? error.message}`);
    }
}

// The command is refused, and the error's text contains the words.
export async function refused(promise, words) {
    await assert.rejects(promise, error => {
        assert.ok(error.message.includes(words), `"${error.message}" lacks "${words}"`);
        return true;
    });
}

export function near(a, b, within = 0.02) {
    assert.ok(Math.abs(a - b) <= within, `${a} is not within ${within} of ${b}`);
}

export function finish() {
    console.log(`${counts.passed} passed, ${counts.failed} failed, 0 skipped`);
    process.exit(counts.failed === 0 ? 0 : 1);
}
