import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Cooper } from '../support/cooper.ts';
import { attempt, look, messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// What of mounts and rights shows in other builds than the one that asks: keys, caches, permissions.

for (const mode of modes) {
  describe(`mounts and rights of a RUN as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ cooper, base } = await cooperWithBusybox(mode, cleanup));
    });

    after(async () => cleanup?.disposeAsync());

    /** Builds FROM base with one RUN; whether it ran. */
    async function runs(line: string, files: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<boolean> {
      const context = await cooper.context('keys', { Dockerfile: `FROM ${base}\n${line}\n`, ...files });
      return (await cooper.built([...args, context])).ran.some((name) => name.includes('RUN'));
    }

    test('the value of a secret, and which cache it is, make no other step', async () => {
      const line = (id: string): string => `RUN --mount=type=secret,id=s --mount=type=cache,target=/c,id=${id} true`;
      const secret = ['--secret', `id=s,src=${cooper.directory}/keys/secret`];
      assert.equal(await runs(line('a'), { secret: 'one' }, secret), true);
      assert.equal(await runs(line('a'), { secret: 'two' }, secret), false);
      assert.equal(await runs(line('a'), {}, []), false);
      assert.equal(await runs(line('b'), {}, secret), false);
      assert.equal(await runs(line('b').replace('/c', '/d'), {}, secret), true);
    });

    test('what a bind mount shows does, and nothing beside it', async () => {
      const line = 'RUN --mount=target=/in,source=d cat /in/f';
      assert.equal(await runs(line, { 'd/f': 'one', other: 'one' }), true);
      assert.equal(await runs(line, { 'd/f': 'one', other: 'two' }), false);
      assert.equal(await runs(line, { 'd/f': 'two' }), true);
      assert.equal(await runs(`${line} `.replace('source=d', 'source=./d/')), false);
    });

    test('the files that a cache begins with do, too', async () => {
      const text = (seed: string): string =>
        `RUN true\nFROM scratch AS seed\nCOPY ${seed} /s/f\nFROM ${base}\nRUN --mount=type=cache,target=/c,from=seed,source=/s cat /c/f`;
      const printed = async (seed: string): Promise<string> => {
        const context = await cooper.context('keys', { Dockerfile: `FROM ${base}\n${text(seed)}\n`, one: 'one\n', two: 'two\n' });
        return outputOf(await cooper.built([context]));
      };
      assert.deepEqual([await printed('one'), await printed('two'), await printed('one')], ['one\n', 'two\n', '']);
    });

    test('--no-cache empties the caches that the build has, all of one id, and no other', async () => {
      const script = 'ls /a /b /c; touch /a/a /b/b /c/c';
      const mounts =
        '--mount=type=cache,target=/a,id=empty --mount=type=cache,target=/b,id=empty,uid=1 --mount=type=cache,target=/c,id=other';
      const context = await cooper.context('caches', { Dockerfile: `FROM ${base}\nARG n\nRUN ${mounts} ${script}\n` });
      const other = await cooper.context('other', { Dockerfile: `FROM ${base}\nRUN --mount=type=cache,target=/a,id=empty true\n` });
      const printed = async (n: string): Promise<string> => outputOf(await cooper.built(['--build-arg', `n=${n}`, context]));
      assert.equal(await printed('1'), '/a:\n\n/b:\n\n/c:\n');
      assert.equal(await printed('2'), '/a:\na\n\n/b:\nb\n\n/c:\nc\n');
      await cooper.built(['--no-cache', other]);
      assert.equal(await printed('3'), '/a:\n\n/b:\n\n/c:\nc\n');
    });

    test('a step is insecure, or on the network of the machine, only where the user allows it', async () => {
      const script = 'grep -E "^(CapEff|CapBnd|Seccomp):" /proc/self/status; mount -t tmpfs none /mnt && echo mounted';
      const insecure = { before: ['RUN mkdir /mnt'], mounts: '--security=insecure' };
      const refused = await attempt(cooper, base, script, insecure);
      assert.match(messageOf(refused), /^NOT_ALLOWED: RUN asks for "insecure"/);
      const printed = await look(cooper, base, script, { ...insecure, args: ['--allow', 'security.insecure'] });
      assert.match(printed, /^CapEff:\t(0*1ff\w+)\nCapBnd:\t\1\nSeccomp:\t0\nmounted\n$/);
      const refusedNetwork = await attempt(cooper, base, 'true', { mounts: '--network=host' });
      assert.match(messageOf(refusedNetwork), /^NOT_ALLOWED: RUN asks for "host"/);
      for (const args of [
        ['--allow', 'network.host'],
        ['--network', 'host'],
      ]) {
        assert.equal(await look(cooper, base, 'echo fine', { mounts: '--network=host', args }), 'fine\n');
      }
    });

    test('each step has what it asks for, whatever the one before it had', async () => {
      const usual = 'RUN awk -F: "NR > 2 { print \\$1 }" /proc/net/dev | tr -d "\\n "; awk "/CapEff/ { print \\$2 }" /proc/self/status';
      const asking = (flag: string): string => usual.replace('RUN', `RUN --${flag}`);
      const lines = [usual, asking('network=none'), usual, asking('security=insecure'), asking('network=none'), usual];
      const context = await cooper.context('in-turn', { Dockerfile: `FROM ${base}\n${lines.join('\n')}\n` });
      const printed = outputOf(await cooper.built(['--no-cache', '--allow', 'security.insecure', context]));
      const [first = '', second, third, insecure = '', fifth, last] = printed.trim().split('\n');
      // Docker's default capabilities. Source: moby, oci/caps/defaults.go.
      assert.match(first, /(eth0lo|loeth0)00000000a80425fb$/);
      assert.equal(second, 'lo00000000a80425fb');
      assert.match(insecure, /(eth0lo|loeth0)0*1ff\w+$/);
      assert.deepEqual([third, fifth, last], [first, second, first]);
    });

    test('the store may lie where containers have something of their own', async () => {
      const root = `/dev/shm/cooper-store-${randomUUID()}`;
      try {
        for (const userns of ['auto', 'host']) {
          const args = ['--root', root, '--userns', userns];
          assert.equal(await look(cooper, base, 'ls /in && ls /dev/shm', { mounts: '--mount=target=/in', args }), 'Dockerfile\n');
        }
      } finally {
        await rm(root, { recursive: true, force: true });
      }
    });
  });
}
