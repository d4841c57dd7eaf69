import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { usualRepository } from '../support/add.ts';
import { type Cooper, here, makeCooper } from '../support/cooper.ts';
import { file, fileServer } from '../support/file-server.ts';
import { gitServer } from '../support/git-server.ts';
import { assertIntact } from '../support/intact.ts';
import { lastLayer } from '../support/layer-entries.ts';
import { descendants, gone } from '../support/processes.ts';
import { installForUser, whyNotRootless } from '../support/rootless.ts';
import { layerDigests } from '../support/stored.ts';

// ADD of URLs and repositories by the command itself: as root and as a user, by several at once, and killed in the middle.

const reason = await whyNotRootless();

/** A Dockerfile that adds one of each, in one instruction, beside a file of its own. */
async function withRemotes(cooper: Cooper, url: string, repository: string): Promise<string> {
  return cooper.context('context', { Dockerfile: `FROM scratch\nADD own ${url}/f ${repository}#old:d /to/\n`, own: 'own\n' });
}

async function assertAdded(cooper: Cooper, digest: string): Promise<void> {
  const files = await lastLayer(cooper.root, digest);
  const lines = [...files.values()].map(({ name, mode, uid, gid, text }) => `${name} ${mode.toString(8)} ${uid}:${gid} ${text}`.trim());
  assert.deepEqual(lines, ['to 755 0:0', 'to/e 755 0:0', 'to/e/f 644 0:0 deep', 'to/f 600 0:0 hello', 'to/own 644 0:0 own']);
}

for (const mode of ['root', 'rootless']) {
  test(`as ${mode} a file of a URL and a repository are added`, { skip: (mode === 'rootless' && reason) || false }, async () => {
    await using server = await fileServer();
    await using git = await gitServer();
    server.paths.set('/f', file('hello\n'));
    await usualRepository(git);
    await using user = mode === 'root' ? undefined : await installForUser();
    await using cooper = await makeCooper(user ?? here);
    const context = await withRemotes(cooper, server.url, git.address('r'));
    const { digest } = await cooper.built([context]);
    await assertAdded(cooper, digest);
    const second = await cooper.built([context]);
    assert.deepEqual([second.ran, second.digest], [[], digest]);
  });
}

test('several builds at once that fetch the same give the same', async () => {
  await using server = await fileServer();
  await using git = await gitServer();
  await using cooper = await makeCooper();
  server.paths.set('/f', file('hello\n'));
  await usualRepository(git);
  const context = await withRemotes(cooper, server.url, git.address('r'));
  const all = await Promise.all([1, 2, 3].map(() => cooper.built([context])));
  for (const { digest } of all) await assertAdded(cooper, digest);
  const layers = await Promise.all(all.map(({ digest }) => layerDigests(cooper.root, digest)));
  assert.equal(new Set(layers.flat()).size, 1);
  await assertIntact(cooper);
});

describe('killed while git waits for its server', () => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    test(`by ${signal}: nothing stays, and the next build works`, async () => {
      await using git = await gitServer();
      await using cooper = await makeCooper();
      await usualRepository(git);
      const asked = Promise.withResolvers<void>();
      let isStuck = true;
      git.hold = (path) => {
        if (!path.includes('git-upload-pack')) return false;
        asked.resolve();
        return isStuck;
      };
      const context = await cooper.context('context', { Dockerfile: `FROM scratch\nADD ${git.address('r')} /\n` });
      const running = cooper.start(['build', context]);
      await Promise.race([asked.promise, running.ended.then(({ stderr }) => assert.fail(stderr))]);
      const all = descendants(running.pid);
      assert.ok(all.length > 1, 'git runs');
      await running.stop(signal);
      await gone(all);
      isStuck = false;
      assert.equal((await cooper.built([context])).ran.length, 1);
      await assertIntact(cooper);
    });
  }
});
