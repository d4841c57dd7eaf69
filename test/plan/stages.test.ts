// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles have them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../src/diagnostics/build-error.ts';
import { image, planOf, resolverOf, testErrors, testPlans } from './plan-of.ts';

const names = (vertices: readonly { readonly name: string }[]): string[] => vertices.map(({ name }) => name.replace(/@sha256:.*/, ''));

test('stages: steps are named as BuildKit names them', async () => {
  const { vertices } = await planOf('FROM debian AS build\nENV a=1\nRUN make $a\nFROM busybox\nWORKDIR /w\nCOPY --from=build /a /b');
  assert.deepEqual(names(vertices), [
    '[build 1/2] FROM docker.io/library/debian:latest',
    '[build 2/2] RUN make 1',
    '[stage-1 1/3] FROM docker.io/library/busybox:latest',
    '[stage-1 2/3] WORKDIR /w',
    '[stage-1 3/3] COPY --from=build /a /b',
  ]);
});

test('stages: one stage has no name in its steps, numbers are aligned', async () => {
  const { vertices } = await planOf(`FROM debian\n${'RUN x\n'.repeat(9)}`);
  assert.equal(names(vertices)[0], '[ 1/10] FROM docker.io/library/debian:latest');
  assert.equal(names(vertices)[1], '[ 2/10] RUN x');
});

test('stages: equal steps are one vertex', async () => {
  const { vertices } = await planOf(
    'FROM debian AS a\nRUN x\nFROM debian AS b\nRUN x\nFROM scratch\nCOPY --from=a /1 /\nCOPY --from=b /2 /',
  );
  assert.deepEqual(
    vertices.map(({ spec }) => spec.kind),
    ['image', 'exec', 'scratch', 'copy', 'copy'],
  );
});

test('stages: what the target does not need is neither lowered nor resolved', async () => {
  const resolver = resolverOf();
  const text = 'FROM nowhere AS unused\nRUN --mount=type=ssh x\nFROM debian AS used\nRUN y\nFROM scratch\nCOPY --from=used /a /';
  const { vertices } = await planOf(text, {}, resolver);
  assert.deepEqual(resolver.asked, ['debian linux/amd64']);
  assert.deepEqual(
    vertices.map(({ spec }) => spec.kind),
    ['image', 'exec', 'scratch', 'copy'],
  );
});

test('stages: bases are resolved side by side, each once', async () => {
  let waiting = 0;
  let most = 0;
  const { resolve, asked } = resolverOf();
  const resolver = {
    async resolve(...args: Parameters<typeof resolve>) {
      waiting += 1;
      most = Math.max(most, waiting);
      await new Promise(setImmediate);
      waiting -= 1;
      return resolve(...args);
    },
  };
  await planOf(
    'FROM debian AS a\nFROM busybox AS b\nFROM debian\nCOPY --from=a /1 /\nCOPY --from=b /2 /\nCOPY --from=app /3 /',
    {},
    resolver,
  );
  assert.equal(most, 3);
  assert.deepEqual([...asked].sort(), ['app linux/amd64', 'busybox linux/amd64', 'debian linux/amd64']);
});

test('stages: the first failure ends the other lookups', async () => {
  let ended = false;
  const resolver = {
    async resolve(reference: string, _platform: unknown, signal: AbortSignal): Promise<never> {
      if (reference === 'bad') throw new Error('bad');
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          ended = true;
          reject(signal.reason);
        });
      });
    },
  };
  await assert.rejects(planOf('FROM slow AS a\nFROM bad\nCOPY --from=a / /', {}, resolver), { message: 'bad' });
  assert.ok(ended);
});

for (const { name, text, target, want } of [
  { name: 'the last one', text: 'FROM debian AS a\nLABEL s=a\nFROM debian AS b\nLABEL s=b', target: undefined, want: 'b' },
  { name: 'by name', text: 'FROM debian AS a\nLABEL s=a\nFROM debian AS b\nLABEL s=b', target: 'a', want: 'a' },
  { name: 'by name in any case', text: 'FROM debian AS Build\nLABEL s=a\nFROM debian', target: 'bUILD', want: 'a' },
  { name: 'by index', text: 'FROM debian AS a\nLABEL s=a\nFROM debian AS b\nLABEL s=b', target: '0', want: 'a' },
  { name: 'from an earlier stage', text: 'FROM debian AS a\nLABEL s=a\nFROM A', target: undefined, want: 'a' },
  {
    name: 'the later of two with one name',
    text: 'FROM debian AS a\nLABEL s=1\nFROM debian AS a\nLABEL s=2\nFROM a',
    target: undefined,
    want: '2',
  },
]) {
  test(`stages: target is ${name}`, async () => {
    assert.equal((await planOf(text, target === undefined ? {} : { target })).config.Labels?.s, want);
  });
}

testPlans('stages', [
  {
    name: 'go on from an earlier stage, history too',
    text: 'FROM debian AS a\nENV a=1\nRUN x\nFROM a\nENV b=2',
    config: { Env: ['PATH=/usr/bin:/bin', 'X=base', 'a=1', 'b=2'] },
    history: ['ENV a=1', 'RUN /bin/sh -c x # buildkit', 'ENV b=2'],
    names: ['[a 2/2] RUN x'],
  },
  {
    name: 'take files by index',
    text: 'FROM debian\nRUN x\nFROM scratch\nCOPY --from=0 /a /',
    names: ['[stage-0 2/2] RUN x', '[stage-1 1/1] COPY --from=0 /a /'],
  },
  {
    name: 'may be from scratch',
    text: 'FROM scratch\nRUN x',
    layers: [{ env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] }],
  },
  {
    name: 'get a PATH where the base has none',
    text: 'FROM busybox',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
  },
  {
    name: 'expand FROM with global ARGs',
    text: 'ARG v=12\nARG img=debian:$v\nFROM $img\nRUN x',
    layers: [{ env: ['PATH=/usr/bin:/bin'] }],
  },
  {
    name: 'expand FROM with build arguments',
    text: 'ARG img=nowhere\nFROM ${img}',
    options: { buildArgs: { img: 'app' } },
    config: { User: 'app' },
  },
]);

test('stages: history of the base stays as it is, ours names its layers', async () => {
  const { baseHistory, history, vertices } = await planOf('FROM debian\nENV a=1\nRUN x\nWORKDIR /w');
  assert.deepEqual(baseHistory, [{ created: '2026-01-01T00:00:00Z', created_by: 'layer of docker.io/library/debian:latest' }]);
  assert.deepEqual(history, [
    { createdBy: 'ENV a=1' },
    { createdBy: 'RUN /bin/sh -c x # buildkit', vertex: vertices[1]?.digest },
    { createdBy: 'WORKDIR /w', vertex: vertices[2]?.digest },
  ]);
});

test('stages: unknown fields of a base config are left behind', async () => {
  const odd = image('docker.io/library/odd:latest', 'e', { Hostname: 'x', Cmd: null, User: '' } as object);
  const { config } = await planOf('FROM odd', {}, resolverOf({ odd }));
  assert.deepEqual(Object.keys(config), ['Env']);
});

for (const [name, config] of Object.entries({
  'config that is no object': 'x',
  'Env that is no list': { Env: 'A=1' },
  'Env of numbers': { Env: [1] },
  'Labels of numbers': { Labels: { a: 1 } },
  'OnBuild of objects': { OnBuild: [{}] },
  'Healthcheck that is a list': { Healthcheck: [] },
  'WorkingDir that is a number': { WorkingDir: 1 },
})) {
  test(`stages: a base image with a ${name} is refused at the FROM`, async () => {
    const damaged = image('docker.io/library/damaged:latest', 'e', config as object);
    await assert.rejects(planOf('\nFROM damaged', {}, resolverOf({ damaged })), (error: unknown) => {
      return error instanceof BuildError && error.code === 'IMAGE_INVALID' && error.range?.start.line === 2;
    });
  });
}

for (const { name, text, options, asked, want } of [
  { name: 'that of the machine', text: 'FROM debian', options: {}, asked: 'debian linux/amd64', want: 'linux/amd64' },
  {
    name: 'what was asked for',
    text: 'FROM debian',
    options: { platform: { os: 'linux', architecture: 'arm64' } },
    asked: 'debian linux/arm64',
    want: 'linux/arm64',
  },
  { name: 'what FROM says', text: 'FROM --platform=linux/arm64 foreign', options: {}, asked: 'foreign linux/arm64', want: 'linux/arm64' },
  {
    name: 'what was asked for, though FROM says the machine',
    text: 'FROM --platform=$BUILDPLATFORM debian',
    options: { platform: { os: 'linux', architecture: 'arm64' } },
    asked: 'debian linux/amd64',
    want: 'linux/arm64',
  },
]) {
  test(`stages: the platform is ${name}`, async () => {
    const { config, ...rest } = image('docker.io/library/foreign:latest', 'e');
    const resolver = resolverOf({ foreign: { ...rest, config: { ...config, architecture: 'arm64' } } });
    const { platform } = await planOf(text, options, resolver);
    assert.deepEqual(resolver.asked, [asked]);
    assert.equal(`${platform.os}/${platform.architecture}`, want);
  });
}

testErrors('stages', [
  {
    name: 'no such target',
    text: 'FROM debian AS build\nFROM debian',
    options: { target: 'biuld' },
    code: 'STAGE_NOT_FOUND',
    message: /"biuld"/,
    hint: /"build"/,
  },
  {
    name: 'no such target, nor one like it',
    text: 'FROM debian AS build\nFROM debian',
    options: { target: 'zzz' },
    code: 'STAGE_NOT_FOUND',
    hint: /the stages are "build"/,
  },
  { name: 'no such index as target', text: 'FROM debian', options: { target: '1' }, code: 'STAGE_NOT_FOUND' },
  {
    name: 'a slip in --from',
    text: 'FROM debian AS build\nFROM debian\nCOPY --from=biuld /a /b',
    code: 'STAGE_NOT_FOUND',
    at: '3:6',
    hint: /"build"/,
  },
  { name: 'a slip in FROM', text: 'FROM debian AS build\nFROM biuld', code: 'STAGE_NOT_FOUND', at: '2:6', hint: /"build"/ },
  {
    name: 'a slip in a mount',
    text: 'FROM debian AS build\nFROM debian\nRUN --mount=from=biuld,target=/a x',
    code: 'STAGE_NOT_FOUND',
    at: '3:5',
    hint: /"build"/,
  },
  { name: 'an unknown image', text: '# note\nFROM nowhere', code: 'BASE_NOT_FOUND', at: '2:6' },
  { name: 'an unknown image in --from', text: 'FROM debian\nCOPY --from=nowhere /a /b', code: 'BASE_NOT_FOUND', at: '2:6' },
  { name: 'no such index', text: 'FROM debian\nFROM debian\nCOPY --from=5 /a /b', code: 'STAGE_NOT_FOUND', at: '3:6' },
  { name: 'itself', text: 'FROM debian AS a\nCOPY --from=a /a /b', code: 'STAGE_NOT_FOUND', at: '2:6', message: /itself/ },
  {
    name: 'a later stage',
    text: 'FROM debian AS a\nCOPY --from=b /a /b\nFROM debian AS b\nFROM a',
    code: 'STAGE_NOT_FOUND',
    at: '2:6',
    hint: /line 3/,
  },
  { name: 'an empty base', text: 'ARG x\nFROM $x', code: 'DOCKERFILE_INVALID', at: '2:6', hint: /ARG before/ },
  { name: 'a bad platform', text: 'FROM --platform=a/b/c/d debian', code: 'PLATFORM_UNSUPPORTED', at: '1:6' },
  { name: 'a slip in the name of an ARG', text: 'ARG image=a\nFROM $imgae', code: 'DOCKERFILE_INVALID', at: '2:6', hint: /"image"/ },
  {
    name: 'a slip in the platform',
    text: 'FROM --platform=$BUILDPLATFROM debian',
    code: 'DOCKERFILE_INVALID',
    hint: /"BUILDPLATFORM"/,
  },
  { name: 'an empty platform', text: 'FROM --platform=$x debian', code: 'DOCKERFILE_INVALID', at: '1:6' },
  { name: 'a base that cannot be expanded', text: 'FROM ${x:?gone}', code: 'EXPANSION_FAILED', at: '1:6', message: /gone/ },
]);

test('stages: of two with one name the one before the user counts, in a Dockerfile with 60,000 of them', { timeout: 60_000 }, async () => {
  const many = 'FROM scratch AS n\n'.repeat(30_000);
  const text = `FROM debian AS n\n${many}FROM busybox AS n\nFROM n\nCOPY --from=n /a /b\n${many}`;
  const { vertices } = await planOf(text, { target: '30002' });
  assert.deepEqual(names(vertices), ['[n 1/1] FROM docker.io/library/busybox:latest', '[stage-30002 1/1] COPY --from=n /a /b']);
});
