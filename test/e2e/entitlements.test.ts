import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Canary } from '../support/canary.ts';
import type { Cooper } from '../support/cooper.ts';
import { forgedBench } from '../support/forged-bench.ts';
import { busyboxLayer, type ForgedRegistry, forge, writeLayout } from '../support/forged-images.ts';
import { messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// CVE-2024-23653: a step that asks for more than the user allows, by every way on which an instruction can come into a build. `BASE` is an
// image with a shell, `TRAP` one whose ONBUILD triggers ask for it.

interface Way {
  readonly name: string;
  readonly lines: readonly string[];
  readonly args?: readonly string[];
  /** Default: that it is not allowed. */
  readonly refused?: RegExp;
}

const insecure = 'RUN --security=insecure id; echo broken out';
const host = 'RUN --network=host id; echo broken out';

const ways: readonly Way[] = [
  ...[insecure, host].flatMap((run): Way[] => [
    { name: `in the file: ${run}`, lines: ['FROM BASE', run] },
    { name: `in a heredoc: ${run}`, lines: ['FROM BASE', `${run.split(' id')[0]} <<x`, 'echo broken out', 'x'] },
    { name: `behind "# syntax": ${run}`, lines: ['# syntax=docker/dockerfile:1-labs', 'FROM BASE', run] },
    { name: `by an ONBUILD of a stage: ${run}`, lines: ['FROM BASE AS trap', `ONBUILD ${run}`, 'FROM trap'] },
    { name: `in a stage that only a COPY needs: ${run}`, lines: ['FROM BASE AS other', run, 'FROM BASE', 'COPY --from=other /bin /b'] },
    {
      name: `in a stage that only a mount needs: ${run}`,
      lines: ['FROM BASE AS other', run, 'FROM BASE', 'RUN --mount=from=other,target=/m true'],
    },
  ]),
  { name: 'by an ONBUILD of a base', lines: ['FROM TRAP'] },
  { name: 'by an ONBUILD of the image of a named context', lines: ['FROM base'], args: ['--build-context', 'base=docker-image://TRAP'] },
  { name: 'by an ONBUILD of a layout', lines: ['FROM base'], args: ['--build-context', 'base=oci-layout://LAYOUT'] },
  { name: 'by an ONBUILD of a base, of a stage for a COPY', lines: ['FROM TRAP AS trap', 'FROM BASE', 'COPY --from=trap /bin /b'] },
  {
    name: 'with a variable for its name',
    lines: ['FROM BASE', 'ARG how=insecure', 'RUN --security=$how id; echo broken out'],
    args: ['--build-arg', 'how=insecure'],
    refused: /^DOCKERFILE_INVALID: "\$how" is no value/,
  },
  {
    name: 'by the walls that an option opens',
    lines: ['FROM BASE', 'RUN echo broken out'],
    args: ['--security-opt', 'systempaths=unconfined'],
    refused: /^ARG_INVALID: /,
  },
  {
    name: 'with another permission than the one that is needed',
    lines: ['FROM BASE', insecure],
    args: ['--allow', 'network.host', '--allow', 'device'],
  },
];

for (const mode of modes) {
  describe(`what a build is not allowed as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let registry: ForgedRegistry;
    let cooper: Cooper;
    let canary: Canary;
    let layout: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ registry, cooper, canary } = await forgedBench(mode, cleanup));
      const busybox = await busyboxLayer();
      registry.images.set('base', await forge([busybox]));
      const trap = await forge([busybox], { OnBuild: [insecure] });
      registry.images.set('trap', trap);
      layout = join(cooper.directory, 'layout');
      await writeLayout(layout, trap);
    });

    after(async () => cleanup?.disposeAsync());
    afterEach(() => canary.assertUntouched());

    const filled = (text: string): string =>
      text.replaceAll('BASE', `${registry.host}/base:1`).replaceAll('TRAP', `${registry.host}/trap:1`).replaceAll('LAYOUT', layout);

    for (const { name, lines, args = [], refused = /^NOT_ALLOWED: RUN asks for "(insecure|host)"/ } of ways) {
      test(name, async () => {
        const context = await cooper.context('c', { Dockerfile: `${lines.map(filled).join('\n')}\n` });
        const built = await cooper.build([...args.map(filled), context]);
        assert.match(messageOf(built), refused);
        assert.doesNotMatch(outputOf(built), /broken out/);
      });
    }

    test('and with the permission each of them runs', async () => {
      const lines = ['FROM TRAP', insecure];
      const context = await cooper.context('c', { Dockerfile: `${lines.map(filled).join('\n')}\n` });
      const built = await cooper.build(['--allow', 'security.insecure', context]);
      assert.equal(outputOf(built).match(/broken out/g)?.length, 2, messageOf(built));
    });
  });
}
