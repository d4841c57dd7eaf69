import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { RemoteSources } from '../../src/execute/remote-sources.ts';
import type { GitSpec, HttpSpec } from '../../src/graph/spec.ts';
import { fileServer } from '../support/file-server.ts';
import { temporaryStore } from '../support/store.ts';

// A build that fails elsewhere no longer waits for what it was fetching; the store's temporary folder goes away with the session.
for (const { name, spec } of [
  { name: 'a file', spec: (url: string): HttpSpec => ({ kind: 'http', url: `${url}/slow`, filename: 'f' }) },
  {
    name: 'a repository',
    spec: (url: string): GitSpec => ({
      ...{ kind: 'git', remote: `${url}/slow`, keepGitDir: false, submodules: false, mtime: 'checkout', fetchByCommit: false },
    }),
  },
]) {
  test(`the end of a session ends what is still being fetched: ${name}`, async () => {
    await using server = await fileServer();
    await using kept = await temporaryStore();
    const asked = Promise.withResolvers<void>();
    for (const path of ['/slow', '/slow/info/refs?service=git-upload-pack']) {
      server.paths.set(path, (_request, response) => {
        response.writeHead(200, { 'content-length': 10 }).write('begun');
        asked.resolve();
      });
    }
    const remote = new RemoteSources(kept.store.fetched, {
      environment: { PATH: process.env.PATH },
      secret: () => undefined,
      agent: async () => undefined,
    });
    let ended = false;
    const fetching = assert.rejects(remote.source(spec(server.url)).directory(new AbortController().signal)).then(() => {
      ended = true;
    });
    await asked.promise;
    await remote[Symbol.asyncDispose]();
    // What stands behind the end of the fetch is promises alone.
    await setImmediate();
    assert.equal(ended, true);
    await fetching;
    assert.deepEqual(await readdir(join(kept.store.root, 'tmp/test')), []);
  });
}
