import assert from 'node:assert/strict';
import { chown, lstat, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import { type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { attempt, compileProbe, look, messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { afterMounts } from '../support/situations.ts';
import { tool } from '../support/tools.ts';

// What a step has in its hands that is not its own, and what somebody else still has in his hands when it has ended: a program can send
// descriptors to one of another step, through a socket in a cache mount that both have, and that one lives on.

/** A step that hands something over, one that sees what became of it, and one beside them that has it and writes (`probe keep`). */
const handingOver = (base: string, given: string): string => `FROM ${base} AS base
COPY probe /probe
FROM base AS gives
RUN mkdir /kept; cd /kept; for each in removed here mode file; do echo good >$each; done; chmod 644 mode
RUN --mount=type=cache,id=hands,target=/c echo good >/kept/new; exec /probe give /c/socket ${given}
RUN --mount=type=cache,id=hands,target=/c touch /c/go; while ! test -e /c/tried; do sleep 0.02; done; cd /kept; grep . *; stat -c %a mode; touch /c/stop
FROM base AS keeps
RUN --mount=type=cache,id=hands,target=/c (while ! test -s /c/said; do sleep 0.02; done; touch /c/tried) & exec /probe keep /c/socket /c/go /c/stop >/c/said
RUN --mount=type=cache,id=hands,target=/c cat /c/said
FROM base
COPY --from=gives /kept /kept
COPY --from=keeps /probe /other
`;

for (const mode of modes) {
  describe(`what a step leaves open as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let installation: Installation;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ installation, cooper, base } = await cooperWithBusybox(mode, cleanup));
      await compileProbe(cooper);
    });

    after(async () => cleanup?.disposeAsync());

    // Standard input is the null device, and /dev/null is: neither may be the machine's own node.
    for (const userns of mode.name === 'root' ? ['auto', 'host'] : ['auto']) {
      test(`the machine’s null device stays what it is, with --userns=${userns}`, async () => {
        await using node = await makeNode(installation);
        const command = [...afterMounts(`mount --bind ${node.path} /dev/null`), ...installation.command];
        await using other = await makeCooper({ ...installation, command: command as unknown as readonly [string, ...string[]] });
        const before_ = await node.describe();
        const change = (place: string) => `touch -d @5 ${place}; chmod 601 ${place}; chown 7:7 ${place}`;
        const script = `(${change('/proc/self/fd/0')}; ${change('/dev/null')}; ${change('/dev/stdin')}) 2>&1; cat; wc -c <&0; echo x >/dev/null`;
        assert.match(await look(other, base, script, { args: ['--userns', userns] }), /^0$/m);
        assert.equal(await node.describe(), before_);
      });
    }

    test('a directory that another step still has cannot be changed any more', { timeout: 120_000 }, async () => {
      const context = await cooper.context('look', { Dockerfile: handingOver(base, '/dev/null') });
      const built = await cooper.built(['--no-cache', context]);
      const said = outputOf(built);
      assert.match(said, /^file:good\nhere:good\nmode:good\nnew:good\nremoved:good\n644$/m);
      for (const what of ['make', 'remove', 'rename', 'mode', 'open']) assert.match(said, new RegExp(`^${what}: EROFS$`, 'm'));
    });

    test('a file that another step has open for writing is no part of a layer', { timeout: 120_000 }, async () => {
      const context = await cooper.context('look', { Dockerfile: handingOver(base, '/kept/file') });
      const built = await cooper.build(['--no-cache', context]);
      assert.equal(messageOf(built), 'RUN_FAILED: a file that the step made is still open for writing in another container');
    });

    // Trees are walked by recursion: it was the worker's end, and so that of all other steps.
    for (const [what, script, env] of [
      ['', 'exec /probe deep 2100', {}],
      [' beside many others', 'mkdir 1 2 3 4 5 6 7 8 9; cd 5; exec /probe deep 2100', {}],
      [' with SOURCE_DATE_EPOCH', 'exec /probe deep 2100', { SOURCE_DATE_EPOCH: '1000' }],
    ] as const) {
      // The way there is the same in both modes.
      test(`directories deeper than a path can lead${what} end their step alone`, {
        skip: mode.name !== 'root' && what !== '',
      }, async () => {
        const built = await attempt(cooper, base, script, { before: ['COPY probe /probe', 'WORKDIR /w'], env });
        assert.match(messageOf(built), /^UNSUPPORTED: "w\/.*…" is the beginning of a path of more than 4095 bytes$/);
        // What the next command would delete; the test's own end cannot.
        await tool('rm', ['-rf', join(cooper.root, 'trash')]);
      });
    }
  });
}

interface Node extends AsyncDisposable {
  readonly path: string;
  describe(): Promise<string>;
}

/** A null device for the machine, which is the user's own: so he, and his containers' root, may change it. */
async function makeNode({ owner }: Installation): Promise<Node> {
  const folder = await mkdtemp(join(tmpdir(), 'cooper-node-'));
  const path = join(folder, 'null');
  await tool('mknod', ['-m', '666', path, 'c', '1', '3']);
  if (owner) await chown(path, owner.uid, owner.gid);
  return {
    path,
    async describe() {
      const { mode, uid, gid, mtimeMs, ctimeMs } = await lstat(path);
      return [mode.toString(8), uid, gid, mtimeMs, ctimeMs].join(' ');
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
