import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Spec } from '../../src/graph/spec.ts';
import { vertex } from '../../src/graph/vertex.ts';
import { contextName, type NamedContext, namedContext } from '../../src/plan/named-contexts.ts';
import { amd64, image, planOf, resolverOf } from './plan-of.ts';

const files = (name: string): NamedContext => ({ kind: 'files', vertex: vertex<Spec>({ kind: 'local', name }, [], `context "${name}"`) });
const contexts = (named: Readonly<Record<string, NamedContext>>) => new Map(Object.entries(named));

// Source: BuildKit 0.32.2, frontend/dockerui, `NamedContext`: names are compared as Docker shows them, without ":latest".
for (const { given, asked, platform = amd64, want } of [
  { given: ['alpine'], asked: 'alpine', want: 'alpine' },
  { given: ['alpine'], asked: 'alpine:latest', want: 'alpine' },
  { given: ['alpine'], asked: 'docker.io/library/alpine', want: 'alpine' },
  { given: ['alpine'], asked: 'index.docker.io/library/alpine:latest', want: 'alpine' },
  { given: ['alpine'], asked: 'alpine:3.20', want: undefined },
  { given: ['alpine:3.20'], asked: 'alpine:3.20', want: 'alpine:3.20' },
  { given: ['alpine:3.20'], asked: 'alpine', want: undefined },
  { given: ['alpine'], asked: 'some/alpine', want: undefined },
  { given: ['example.org/alpine'], asked: 'example.org/alpine', want: 'example.org/alpine' },
  { given: ['a', 'a::linux/amd64'], asked: 'a', want: 'a::linux/amd64' },
  { given: ['a', 'a::linux/arm64'], asked: 'a', want: 'a' },
  { given: ['a::linux/arm64'], asked: 'a', want: undefined },
  { given: ['a::linux/arm64'], asked: 'a', platform: { os: 'linux', architecture: 'arm64' }, want: 'a::linux/arm64' },
  { given: ['scratch'], asked: 'scratch', want: undefined },
  { given: ['scratch'], asked: 'SCRATCH', want: undefined },
  { given: ['context'], asked: 'context', want: undefined },
  { given: ['0'], asked: '0', want: '0' },
  { given: ['a'], asked: 'No Image', want: undefined },
]) {
  test(`of ${given.join(', ')} the name ${asked} means ${want ?? 'none'}`, () => {
    const known = new Map(given.map((name) => [contextName(name), files(name)]));
    const found = namedContext(asked, known, platform);
    assert.equal(found?.kind === 'files' ? (found.vertex.spec as { name: string }).name : undefined, want);
  });
}

const from = (reference: string): NamedContext => ({ kind: 'image', reference });

interface Row {
  readonly name: string;
  readonly text: string;
  readonly contexts: Readonly<Record<string, NamedContext>>;
  /** The images that are asked for. */
  readonly asked: readonly string[];
  /** The names of the vertices. */
  readonly names: readonly string[];
}

const rows: readonly Row[] = [
  {
    name: 'an image in place of an image',
    text: 'FROM debian\nWORKDIR /a',
    contexts: { debian: from('busybox') },
    asked: ['busybox linux/amd64'],
    names: ['[1/2] FROM docker.io/library/busybox:latest@sha256:cccc', '[2/2] WORKDIR /a'],
  },
  {
    name: 'files in place of an image',
    text: 'FROM debian\nWORKDIR /a',
    contexts: { debian: files('d') },
    asked: [],
    names: ['FROM scratch', 'context "d"', 'FROM context "d"', '[1/1] WORKDIR /a'],
  },
  {
    name: 'files in place of a stage: nothing of it is run',
    text: 'FROM debian AS base\nRUN make\nFROM base\nWORKDIR /a',
    contexts: { base: files('d') },
    asked: [],
    names: ['FROM scratch', 'context "d"', 'FROM context "d"', '[stage-1 1/1] WORKDIR /a'],
  },
  {
    name: 'an image in place of a stage that another copies from',
    text: 'FROM debian AS build\nRUN make\nFROM scratch\nCOPY --from=build /a /b',
    contexts: { build: from('busybox') },
    asked: ['busybox linux/amd64'],
    names: ['[build 1/1] FROM docker.io/library/busybox:latest@sha256:cccc', 'FROM scratch', '[stage-1 1/1] COPY --from=build /a /b'],
  },
  {
    name: 'a stage comes before a context in FROM only where the context has another name',
    text: 'FROM debian AS alpine\nFROM alpine\nWORKDIR /a',
    contexts: { debian: from('busybox') },
    asked: ['busybox linux/amd64'],
    names: ['[alpine 1/1] FROM docker.io/library/busybox:latest@sha256:cccc', '[stage-1 1/1] WORKDIR /a'],
  },
  {
    name: 'files to copy from',
    text: 'FROM scratch\nCOPY --from=assets a /b',
    contexts: { assets: files('d') },
    asked: [],
    names: ['FROM scratch', 'context "d"', '[1/1] COPY --from=assets a /b'],
  },
  {
    name: 'files to bind',
    text: 'FROM debian\nRUN --mount=from=assets,target=/m true',
    contexts: { assets: files('d') },
    asked: ['debian linux/amd64'],
    names: ['[1/2] FROM docker.io/library/debian:latest@sha256:aaaa', 'context "d"', '[2/2] RUN --mount=from=assets,target=/m true'],
  },
  {
    name: 'an image to copy from, under its full name',
    text: 'FROM scratch\nCOPY --from=docker.io/library/debian:latest /a /b',
    contexts: { debian: from('busybox') },
    asked: ['busybox linux/amd64'],
    names: ['FROM scratch', 'FROM docker.io/library/busybox:latest@sha256:cccc', '[1/1] COPY --from=docker.io/library/debian:latest /a /b'],
  },
  {
    name: 'a variable in FROM may name one',
    text: 'ARG BASE=debian\nFROM $BASE\nWORKDIR /a',
    contexts: { debian: files('d') },
    asked: [],
    names: ['FROM scratch', 'context "d"', 'FROM context "d"', '[1/1] WORKDIR /a'],
  },
  {
    name: 'docker-image://scratch',
    text: 'FROM debian\nWORKDIR /a',
    contexts: { debian: { kind: 'scratch' } },
    asked: [],
    names: ['FROM scratch', '[1/1] WORKDIR /a'],
  },
  {
    name: 'for a platform',
    text: 'FROM --platform=linux/arm64 debian\nWORKDIR /a',
    contexts: { debian: from('busybox'), 'debian::linux/arm64': from('app') },
    asked: ['app linux/arm64'],
    names: ['[1/2] FROM docker.io/library/app:latest@sha256:dddd', '[2/2] WORKDIR /a'],
  },
];

for (const { name, text, contexts: named, asked, names } of rows) {
  test(`named contexts: ${name}`, async () => {
    const resolver = resolverOf();
    const planned = await planOf(text, { namedContexts: contexts(named) }, resolver);
    assert.deepEqual(resolver.asked, asked);
    assert.deepEqual(
      planned.vertices.map((each) => each.name.replace(/(@sha256:\w{4})\w+/, '$1')),
      names,
    );
  });
}

test('triggers of an image that takes the place of a stage are not run; those of a base are', async () => {
  const more = { onbuild: image('docker.io/library/onbuild:latest', 'e', { OnBuild: ['WORKDIR /triggered'] }) };
  const runs = async (text: string) => {
    const planned = await planOf(text, { namedContexts: contexts({ base: from('onbuild') }) }, resolverOf(more));
    return planned.vertices.filter(({ spec }) => spec.kind === 'mkdir').length;
  };
  assert.equal(await runs('FROM debian AS base\nRUN make\n'), 0);
  assert.equal(await runs('FROM base\n'), 1);
});

test('--no-cache-filter takes stages by their names, and says which there are none of', async () => {
  const text =
    'FROM scratch AS One\nWORKDIR /a\nWORKDIR /b\nFROM scratch AS two\nWORKDIR /c\nFROM scratch\nCOPY --from=one / /\nCOPY --from=two / /\n';
  const { vertices, noCache, warnings } = await planOf(text, { noCacheFilter: ['ONE', 'twoo'] });
  const again = vertices.filter(({ digest }) => noCache.has(digest)).map(({ spec }) => spec.kind === 'mkdir' && spec.path);
  assert.deepEqual(again, ['/a', '/b']);
  assert.match(warnings[0]?.message ?? '', /no stage is named "twoo".*did you mean "two"/);
});

test('--add-host is part of what a RUN is', async () => {
  const specOf = async (hosts: readonly { name: string; ip: string }[]) => (await planOf('FROM debian\nRUN true', { hosts })).target;
  const [none, one] = [await specOf([]), await specOf([{ name: 'db', ip: '10.0.0.5' }])];
  assert.notEqual(none.digest, one.digest);
  assert.deepEqual(one.spec.kind === 'exec' && one.spec.hosts, [{ name: 'db', ip: '10.0.0.5' }]);
});
