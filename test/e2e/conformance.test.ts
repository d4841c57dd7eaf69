import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { debianBase, pushBase } from '../support/bases.ts';
import { complaints, expectations, packages } from '../support/conformance.ts';
import { type Cooper, type Installation, makeCooper } from '../support/cooper.ts';
import { outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';
import { type Registry, startRegistry } from '../support/registry.ts';
import { packageSecrets } from '../support/secrets.ts';

// What programs expect inside: a Debian with the packages that people use, and each of them tried. One image, with a RUN for each.

const all = await expectations();
/** Stands before the output of each of them. */
const mark = '==> ';

/** A RUN ends well whatever its script does: what it prints is what counts. */
const steps = all.flatMap(({ script, user }, index) => [
  `USER ${user}`,
  "RUN <<'END_OF_SCRIPT' sh",
  `exec 2>&1; echo '${mark}${index}'`,
  `${script}true`,
  'END_OF_SCRIPT',
]);

const install = [
  'RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/90machine \\',
  '    apt-get update -q && DEBIAN_FRONTEND=noninteractive \\',
  `    apt-get install -q -y --no-install-recommends ${packages.join(' ')}`,
];

for (const mode of modes) {
  describe(`programs of Debian as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let installation: Installation & AsyncDisposable;
    let registry: Registry;
    let cooper: Cooper;
    /** What was printed between the marks. */
    let parts: readonly string[];

    before(async () => {
      installation = await mode.install();
      registry = await startRegistry();
      cooper = await makeCooper(installation);
      const base = await pushBase(await debianBase(), registry, 'debian');
      const context = await cooper.context('conformance', { Dockerfile: [`FROM ${base}`, ...install, ...steps, ''].join('\n') });
      const built = await cooper.built([...(await packageSecrets(cooper)), '-t', 'conformance', context]);
      parts = outputOf(built).split(mark);
    });

    after(async () => {
      await cooper?.[Symbol.asyncDispose]();
      await registry?.[Symbol.asyncDispose]();
      await installation?.[Symbol.asyncDispose]();
    });

    test('apt installs packages, and no maintainer script complains', () => {
      assert.match(parts[0] ?? '', /Setting up sudo/);
      assert.doesNotMatch(parts[0] ?? '', complaints);
    });

    for (const [index, { name, output, rootlessOutput }] of all.entries()) {
      test(name, () => {
        assert.equal(parts[index + 1], `${index}\n${mode.name === 'root' ? output : rootlessOutput}`);
      });
    }
  });
}
