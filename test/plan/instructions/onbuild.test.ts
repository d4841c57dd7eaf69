import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildError } from '../../../src/diagnostics/build-error.ts';
import { image, planOf, resolverOf, testPlans } from '../plan-of.ts';

testPlans('ONBUILD', [
  {
    name: 'is stored as written, and has no history',
    text: 'FROM scratch\nONBUILD RUN a "$b"\nONBUILD COPY . .',
    config: { OnBuild: ['RUN a "$b"', 'COPY . .'] },
    history: [],
    layers: [],
  },
  {
    name: 'runs in a stage from this one, and does not go on',
    text: 'FROM debian AS a\nONBUILD ENV b=1\nONBUILD RUN x\nFROM a\nRUN y',
    config: { OnBuild: null, Env: ['PATH=/usr/bin:/bin', 'X=base', 'b=1'] },
    history: ['ENV b=1', 'RUN /bin/sh -c x # buildkit', 'RUN /bin/sh -c y # buildkit'],
  },
]);

const withTriggers = (...OnBuild: string[]) => resolverOf({ parent: image('docker.io/library/parent:latest', 'e', { OnBuild }) });

test('ONBUILD: of an image runs before the rest', async () => {
  const { history, config, vertices } = await planOf('FROM parent\nRUN y', {}, withTriggers('ARG a=1', 'RUN x', 'WORKDIR /w'));
  assert.deepEqual(
    history.map(({ createdBy }) => createdBy),
    ['ARG a=1', 'RUN |1 a=1 /bin/sh -c x # buildkit', 'WORKDIR /w', 'RUN |1 a=1 /bin/sh -c y # buildkit'],
  );
  assert.equal(config.OnBuild, undefined);
  assert.deepEqual(
    vertices.map(({ name }) => name.replace(/@.*/, '')),
    ['[1/5] FROM docker.io/library/parent:latest', '[2/5] ONBUILD RUN x', '[3/5] ONBUILD WORKDIR /w', '[4/5] RUN y'],
  );
});

test('ONBUILD: may take files from a stage that nothing else needs', async () => {
  const resolver = withTriggers('COPY --from=files /a /b');
  const { vertices } = await planOf('FROM busybox AS files\nRUN x\nFROM parent', {}, resolver);
  assert.deepEqual(
    vertices.map(({ spec }) => spec.kind),
    ['image', 'exec', 'image', 'copy'],
  );
});

test('ONBUILD: a heredoc is kept and run', async () => {
  const stored = await planOf('FROM scratch\nONBUILD RUN <<EOF\na\nEOF\n');
  assert.deepEqual(stored.config.OnBuild, ['RUN <<EOF\na\nEOF']);
  const { target } = await planOf('FROM parent', {}, withTriggers('RUN <<EOF\na\nEOF'));
  assert.ok(target.spec.kind === 'exec');
  assert.deepEqual(target.spec.argv, ['/bin/sh', '-c', 'a\n']);
});

for (const trigger of ['NONSENSE x', 'RUN a\nRUN b', 'FROM debian', 'ONBUILD RUN x', '']) {
  test(`ONBUILD: "${trigger}" in an image is an error at the FROM`, async () => {
    await assert.rejects(planOf('# note\nFROM parent', {}, withTriggers(trigger)), { code: 'DOCKERFILE_INVALID' });
  });
}

test('ONBUILD: what fails in a trigger is shown at the FROM', async () => {
  await assert.rejects(
    planOf('# note\nFROM parent', {}, withTriggers('RUN --security=insecure x')),
    (error: unknown) =>
      (error as { code?: string }).code === 'NOT_ALLOWED' && (error as { range: { start: { line: number } } }).range.start.line === 2,
  );
});

// BuildKit 0.32.2 refuses each of them where the trigger is run, and only there.
for (const trigger of [
  'COPY --nope x /',
  'COPY --from=a --from=b x /',
  'COPY --link=perhaps x /',
  'ADD --checksum x /',
  'HEALTHCHECK FOO x',
  'HEALTHCHECK NONE x',
  'HEALTHCHECK --interval=abc CMD x',
  'RUN --network=foo true',
  'EXPOSE',
  'SHELL foo',
  'ARG =x',
]) {
  test(`ONBUILD: "${trigger}" is an error where it is run`, async () => {
    const text = `FROM scratch AS a\nONBUILD ${trigger}\n`;
    await planOf(text);
    await assert.rejects(
      planOf(`${text}FROM a\n`),
      (error: BuildError) => error.code === 'DOCKERFILE_INVALID' && error.range?.start.line === 3,
    );
  });
}
