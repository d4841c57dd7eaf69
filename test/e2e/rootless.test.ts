import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { compileHello } from '../../scripts/hello.ts';
import { busyboxBase, debianBase, pushBase } from '../support/bases.ts';
import { copyFixture, type Installation, makeCooper } from '../support/cooper.ts';
import { freePort, page } from '../support/ports.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { installForUser, whyNotRootless } from '../support/rootless.ts';
import { packageSecrets } from '../support/secrets.ts';
import { assertValid } from '../support/valid.ts';

// The same images for a user without any right, who has a range of subordinate ids. Containers share the host's network.

const reason = await whyNotRootless();

describe('rootless', { concurrency: false, skip: reason ?? false }, () => {
  let installation: Installation & AsyncDisposable;
  let registry: Registry;

  before(async () => {
    installation = await installForUser();
    registry = await startRegistry();
  });

  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    await installation?.[Symbol.asyncDispose]();
  });

  test('hello is built and run', async () => {
    await using cooper = await makeCooper(installation);
    const context = await copyFixture(cooper, 'hello');
    compileHello(context);
    const { digest } = await cooper.built(['-t', 'hello', context]);
    await assertValid(cooper.root, 'hello');
    assert.equal(await cooper.ok(['run', '--rm', 'hello']), 'hello from a container that cooper made\n');
    const second = await cooper.built(['-t', 'hello', context]);
    assert.deepEqual([second.ran, second.digest], [[], digest]);
  });

  test('files of a step belong to whom they would belong to for root', async () => {
    await using cooper = await makeCooper(installation);
    const base = await pushBase(await busyboxBase(), registry, 'busybox');
    const lines = [
      `FROM ${base}`,
      'RUN touch /by-root && cp /bin/busybox /theirs && chown user:staff /theirs && chmod 4750 /theirs',
      'USER user',
      'RUN touch /tmp/by-user',
    ];
    const show = 'CMD ["stat", "-c", "%n %u:%g %a", "/by-root", "/theirs", "/tmp/by-user"]';
    const context = await cooper.context('owners', { Dockerfile: [...lines, show, ''].join('\n') });
    await cooper.built(['-t', 'owners', context]);
    const want = '/by-root 0:0 644\n/theirs 1000:50 4750\n/tmp/by-user 1000:1000 644\n';
    assert.equal(await cooper.ok(['run', '--rm', 'owners']), want);
    await assertValid(cooper.root, 'owners');
  });

  for (const { name, want } of [
    { name: 'python', want: '1 oak\n2 ash\n3 chestnut\nuser 1500' },
    { name: 'node', want: '<p>/</p> user 65534\n' },
  ] as const) {
    test(`${name} is built and answers`, async () => {
      await using cooper = await makeCooper(installation);
      const base = await pushBase(await debianBase(), registry, 'debian');
      const context = await copyFixture(cooper, name);
      const flags = ['-t', name, `--build-arg=BASE=${base}`, ...(await packageSecrets(cooper)), context];
      const { digest } = await cooper.built(flags);
      await assertValid(cooper.root, name);
      const port = await freePort();
      const server = cooper.start(['run', '--rm', '-e', `PORT=${port}`, '--network', 'host', name]);
      assert.equal(await page(`http://127.0.0.1:${port}/`, server.ended), want);
      await server.stop('SIGTERM');
      const second = await cooper.built(flags);
      assert.deepEqual([second.ran, second.digest], [[], digest]);
    });
  }
});
