import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cooperWithBusybox } from '../support/busybox.ts';
import type { Cooper } from '../support/cooper.ts';
import { messageOf, outputOf } from '../support/look.ts';
import { modes } from '../support/modes.ts';

// CVE-2024-24557: a builder took a prepared image for its cache, and instructions that were not in the key let it. And CVE-2024-9407: a value of a mount's
// option that became options of its own.

/** Two forms of each instruction, no content twice: they must give two images. A RUN behind them must run again where it can see the difference. */
const pairs: readonly { readonly kind: string; readonly forms: readonly [string, string]; readonly seen: boolean }[] = [
  { kind: 'ENV', forms: ['ENV A=1', 'ENV A=2'], seen: true },
  { kind: 'ARG', forms: ['ARG A=3', 'ARG A=4'], seen: true },
  { kind: 'USER', forms: ['USER 1', 'USER 2'], seen: true },
  { kind: 'WORKDIR', forms: ['WORKDIR /one', 'WORKDIR /two'], seen: true },
  { kind: 'SHELL', forms: ['SHELL ["/bin/sh", "-c"]', 'SHELL ["/bin/sh", "-ec"]'], seen: true },
  { kind: 'COPY', forms: ['COPY one /file', 'COPY two /file'], seen: true },
  { kind: 'COPY --chmod', forms: ['COPY --chmod=600 one /file', 'COPY --chmod=601 one /file'], seen: true },
  { kind: 'ADD', forms: ['ADD three /file', 'ADD four /file'], seen: true },
  { kind: 'RUN', forms: ['RUN echo 1 >/file', 'RUN echo 2 >/file'], seen: true },
  { kind: 'CMD', forms: ['CMD ["one"]', 'CMD ["two"]'], seen: false },
  { kind: 'ENTRYPOINT', forms: ['ENTRYPOINT ["one"]', 'ENTRYPOINT ["two"]'], seen: false },
  { kind: 'EXPOSE', forms: ['EXPOSE 1', 'EXPOSE 2'], seen: false },
  { kind: 'HEALTHCHECK', forms: ['HEALTHCHECK CMD one', 'HEALTHCHECK CMD two'], seen: false },
  { kind: 'LABEL', forms: ['LABEL a=1', 'LABEL a=2'], seen: false },
  { kind: 'ONBUILD', forms: ['ONBUILD RUN one', 'ONBUILD RUN two'], seen: false },
  { kind: 'STOPSIGNAL', forms: ['STOPSIGNAL 1', 'STOPSIGNAL 2'], seen: false },
  { kind: 'VOLUME', forms: ['VOLUME /one', 'VOLUME /two'], seen: false },
];

const options = [
  ['bind-propagation=shared', /bind-propagation/],
  ['bind-propagation=shared\\,rw\\,suid', /bind-propagation/],
  ['propagation=rshared', /propagation/],
  ['nosuid', /nosuid/],
  ['relabel=shared', /relabel/],
  ['mode=7777777', /mode/],
] as const;

for (const mode of modes) {
  describe(`what a cache may answer, as ${mode.name}`, { concurrency: false, skip: mode.reason ?? false }, () => {
    let cleanup: AsyncDisposableStack;
    let cooper: Cooper;
    let base: string;

    before(async () => {
      cleanup = new AsyncDisposableStack();
      ({ cooper, base } = await cooperWithBusybox(mode, cleanup));
    });

    after(async () => cleanup?.disposeAsync());

    const files = { one: 'one\n', two: 'two\n', three: 'three\n', four: 'four\n' };

    for (const { kind, forms, seen } of pairs) {
      test(`${kind} is part of what is built`, { skip: mode.name === 'root' ? false : 'keys know nothing of who builds' }, async () => {
        const build = async (form: string) => {
          const lines = [
            `FROM ${base}`,
            form,
            'RUN echo "$A" $(id -u) $(pwd) $- $(stat -c %a /file 2>/dev/null) $(cat /file 2>/dev/null)',
            '',
          ];
          return cooper.built([await cooper.context('pair', { ...files, Dockerfile: lines.join('\n') })]);
        };
        const [first, second] = [await build(forms[0]), await build(forms[1])];
        assert.notEqual(first.digest, second.digest);
        assert.equal(
          second.ran.some((step) => step.startsWith('RUN echo "$A"')),
          seen,
        );
        if (seen) assert.notEqual(outputOf(first), outputOf(second));
        assert.equal((await build(forms[0])).digest, first.digest);
      });
    }

    test('a prepared image does not answer for FROM scratch', async () => {
      const dockerfile = 'FROM scratch\nCOPY one /file\nHEALTHCHECK CMD x\nCMD ["/file"]\n';
      const evil = await cooper.context('evil', { Dockerfile: dockerfile, one: 'evil\n' });
      const prepared = await cooper.built(['-t', 'docker.io/library/scratch', '-t', 'app', evil]);
      const good = await cooper.context('good', { Dockerfile: dockerfile, one: 'good\n' });
      const built = await cooper.built(['-t', 'app', good]);
      assert.notEqual(built.digest, prepared.digest);
      const shown = await cooper.context('shown', {
        Dockerfile: `FROM app AS app\nFROM ${base}\nCOPY --from=app /file /file\nRUN cat /file\n`,
      });
      assert.equal(outputOf(await cooper.built([shown])), 'good\n');
    });

    for (const [option, named] of options) {
      test(`a mount does not take ${option}`, async () => {
        const context = await cooper.context('option', { Dockerfile: `FROM ${base}\nRUN --mount=type=bind,target=/x,${option} true\n` });
        const built = await cooper.build([context]);
        assert.notEqual(built.status, 0);
        assert.match(messageOf(built), named);
      });
    }
  });
}
