import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { busyboxBase, pushBase } from '../support/bases.ts';
import { type Installation, makeCooper } from '../support/cooper.ts';
import { outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';

// overlayfs takes 500 directories, and each costs: chains of more than 120 are mounted in blocks (native/src/snapshots/flatten.rs).

/** Steps whose changes meet within a block, between blocks, and between a block and the last layers. */
const changes = [
  'mkdir -p /work/d/sub /work/gone && touch /work/d/old /work/d/sub/deep /work/gone/f /work/file && chmod 750 /work/d',
  'ln /work/file /work/link && ln -s file /work/symlink && chown 1000:50 /work/file',
  'rm -r /work/d && mkdir /work/d && touch /work/d/new',
  'rm -r /work/gone',
  'rm /work/symlink && mkdir /work/symlink && touch /work/symlink/inside',
  'touch /work/d/newer && rm /work/d/new',
  'rm -r /work/symlink && echo text > /work/symlink',
  'mkdir -p /work/gone/again',
];
const want = ['drwxr-xr-x 0:0 d', '-rw-r--r-- 0:0 d/newer', '-rw-r--r-- 1000:50 file', 'drwxr-xr-x 0:0 gone', 'drwxr-xr-x 0:0 gone/again'];
const rest = ['-rw-r--r-- 1000:50 link', '-rw-r--r-- 0:0 symlink'];

for (const { name, reason, install } of modes) {
  describe(`chains of many layers: ${name}`, { skip: reason ?? false }, () => {
    let installation: Installation & AsyncDisposable;
    let registry: Registry;

    before(async () => {
      installation = await install();
      registry = await startRegistry();
    });

    after(async () => {
      await registry?.[Symbol.asyncDispose]();
      await installation?.[Symbol.asyncDispose]();
    });

    for (const distance of [3, 20]) {
      test(`of changes ${distance} layers apart the last one counts`, async () => {
        await using cooper = await makeCooper(installation);
        const base = await pushBase(await busyboxBase(), registry, 'busybox');
        const steps = changes.flatMap((change, at) => [
          `RUN ${change}`,
          ...Array.from({ length: distance - 1 }, (_, between) => `COPY Dockerfile /between/${at}-${between}`),
        ]);
        const filling = Array.from({ length: Math.max(0, 125 - steps.length) }, (_, at) => `COPY Dockerfile /filling/${at}`);
        const list = `RUN cd /work && find . -mindepth 1 | sort | sed s,./,, | xargs -n1 stat -c '%A %u:%g %n' && cmp file link`;
        const text = ['ARG BASE', `FROM ${base}`, ...filling, ...steps, list, ''].join('\n');
        const context = await cooper.context('long', { Dockerfile: text });
        const built = await cooper.built(['-t', 'long', context]);
        assert.deepEqual(outputOf(built).trim().split('\n'), [...want, ...rest]);
        const warnings = built.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
        assert.deepEqual(
          warnings.filter((text) => text.includes('layers')).length,
          filling.length + steps.length + 1 > 127 ? 1 : 0,
          'more than 127 are said',
        );
      });
    }
  });
}
