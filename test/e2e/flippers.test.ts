import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import { type Canary, makeCanary } from '../support/canary.ts';
import type { Built, Cooper } from '../support/cooper.ts';
import { compileProbe, look, messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// A directory and a symlink to a folder of the machine change places, thousands of times (`probe flip`), while cooper resolves paths through
// them. In a container it is a step of another build that shares a cache mount; in a context it is a process of the user's machine.

/** What another build does with a cache mount in which `sub` flips. */
const uses: readonly { readonly name: string; readonly line: string }[] = [
  // CVE-2024-45310: what is made for a mount, and taken away after it.
  { name: 'a tmpfs below it', line: '--mount=type=cache,id=flip,target=/c --mount=type=tmpfs,target=/c/sub/deep true' },
  { name: 'a tmpfs at it', line: '--mount=type=cache,id=flip,target=/c --mount=type=tmpfs,target=/c/sub/sub touch /c/sub/sub/x' },
  { name: 'a secret below it', line: '--mount=type=cache,id=flip,target=/c --mount=type=secret,id=s,target=/c/sub/empty true' },
  // CVE-2024-23651 and CVE-2024-11218: what is mounted from it.
  { name: 'a mount of it', line: '--mount=type=cache,id=flip,source=sub,target=/m cat /m/file; touch /m/x; rm -f /m/file' },
];

for (const mode of modes) {
  describe(`names that change as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let canary: Canary;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      const made = await cooperWithBusybox(mode, cleanup);
      ({ cooper, base } = made);
      canary = cleanup.use(await makeCanary(made.installation));
      await compileProbe(cooper);
    });

    after(async () => cleanup?.disposeAsync());
    afterEach(() => canary.assertUntouched());

    /** Nothing of the canary is said, and what failed did so for a reason of its own. */
    function assertBlind(built: Built): void {
      const said = `${messageOf(built)}\n${outputOf(built)}`;
      assert.doesNotMatch(said, /the canary sings|WORKER_FAILED|INTERNAL/);
    }

    test('in a cache mount that another build uses', async () => {
      const flip = `ln -s ${canary.path} /c/link; mkdir /c/sub; exec /probe flip /c/sub /c/link /c/stop`;
      const files = { Dockerfile: `FROM ${base}\nCOPY probe /probe\nRUN --mount=type=cache,id=flip,target=/c ${flip}\n` };
      const flipping = cooper.start(['build', '--progress', 'plain', await cooper.context('look', files)]);
      await flipping.says('flipping');
      for (const { name, line } of uses) {
        const lines = Array.from({ length: 4 }, (_, round) => `FROM ${base} AS s${round}\nRUN ${line} # ${round}\n`);
        const context = await cooper.context('uses', { Dockerfile: lines.join('') });
        const build = (target: number) =>
          cooper.build(['--target', `s${target}`, '--secret', `id=s,src=${canary.path}/file,scan=false`, context]);
        for (let round = 0; round < lines.length; round += 2) {
          for (const built of await Promise.all([build(round), build(round + 1)])) assertBlind(built);
        }
        await canary.assertUntouched().catch((cause) => assert.fail(`${name}: ${cause}`));
      }
      // Not by look(): --no-cache would wait for the cache, to empty it.
      const stop = `FROM ${base}\nRUN --mount=type=cache,id=flip,target=/c touch /c/stop\n`;
      await cooper.built([await cooper.context('stop', { Dockerfile: stop })]);
      const { status, stderr } = await flipping.ended;
      assert.equal(status, 0, stderr);
      assert.ok(Number(/(\d+) rounds/.exec(stderr)?.[1]) > 10_000, stderr);
    });

    // CVE-2018-15664: the same in the context of a COPY, an ADD and a mount. Both sides have the same files of the same sizes, as a file's size
    // counts that it had when it was found; there are many, so that some are opened at the wrong moment.
    test('in a context', async () => {
      const names = [
        'COPY all/d0/file /',
        'COPY all /',
        'COPY . /',
        'ADD all/d* /',
        'RUN --mount=target=/m,source=all cat /m/d*/file >/file',
      ];
      const check = 'RUN cat /file /all/*/file /link/*/file /d[0-9]*/file 2>/dev/null; true';
      const folders = Array.from({ length: 40 }, (_, number) => `d${number}/file`);
      const context = await cooper.context('context', Object.fromEntries(folders.map((name) => [`all/${name}`, 'what it is to be\n'])));
      const outside = await cooper.context('outside', Object.fromEntries(folders.map((name) => [name, 'the canary sings\n'])));
      await symlink(outside, join(context, 'link'));
      const flipper = spawn(join(cooper.directory, 'look/probe'), ['flip', 'all', 'link', '../enough'], { cwd: context });
      const ended = once(flipper, 'close');
      try {
        for (let round = 0; round < 3; round++) {
          for (const name of names) {
            const file = join(cooper.directory, 'Dockerfile');
            await writeFile(file, `FROM ${base}\n${name}\n${check}\n`);
            assertBlind(await cooper.build(['--no-cache', '-f', file, context]));
          }
        }
      } finally {
        await writeFile(join(cooper.directory, 'enough'), '');
      }
      assert.deepEqual(await ended, [0, null]);
    });

    // The notifier of --userns=auto reads a path that its caller can change, and that leads through what flips.
    test('in the path of a device node', { skip: mode.name === 'root' ? false : 'the kernel refuses them' }, async () => {
      const up = `/proc/self/root/proc/1/root${canary.path}`;
      const script = `mkdir -p /t/sub && ln -s ${up} /t/link && ln -s /proc/1/cwd /t/cwd
        /probe flip /t/sub /t/link /t/stop >/flips & until grep -qs flipping /flips; do sleep 0.05; done
        /probe nodes /t/sub/node ${canary.path}/node 60; /probe nodes /t/link/x /proc/self/fd/1/x 20; /probe nodes /t/cwd/y ../../../y 20
        touch /t/stop; wait; grep -c rounds /flips`;
      const said = await look(cooper, base, script, { before: ['COPY probe /probe'], args: ['--userns=auto'] });
      assert.match(said, /^made some\n(made (some|none)\n){2}1\n$/);
    });
  });
}
