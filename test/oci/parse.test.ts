import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageConfig, parseIndex, parseManifest } from '../../src/oci/parse.ts';
import { withCode } from '../support/errors.ts';

const json = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const digest = `sha256:${'a'.repeat(64)}`;
const descriptor = { mediaType: 'application/x', digest, size: 1 };
const rootfs = { type: 'layers', diff_ids: [digest] };
const config = { architecture: 'amd64', os: 'linux', rootfs };

test('nulls, as Go writes them for empty values, are not there', () => {
  const parsed = parseImageConfig(
    json({ ...config, author: null, config: { Env: null, Cmd: ['/x'], Labels: null, Volumes: null, Healthcheck: null }, history: null }),
  );
  assert.deepEqual(parsed, { ...config, config: { Cmd: ['/x'] } });
});

test('all that a config may say is read, and the rest is left out', () => {
  const full = {
    ...config,
    variant: 'v1',
    created: '2024-01-01T00:00:00Z',
    author: 'me',
    config: {
      User: 'u',
      ExposedPorts: { '80/tcp': {} },
      Env: ['A=1'],
      Entrypoint: ['/e'],
      Cmd: ['c'],
      Volumes: { '/v': {} },
      WorkingDir: '/w',
      Labels: { a: 'b' },
      StopSignal: 'SIGTERM',
      ArgsEscaped: true,
      Healthcheck: { Test: ['NONE'], Interval: 1, Retries: 2 },
      OnBuild: ['RUN x'],
      Shell: ['/bin/sh'],
    },
    history: [{ created: 'x', created_by: 'y', comment: 'z', empty_layer: true }],
  };
  assert.deepEqual(parseImageConfig(json({ ...full, docker_version: '1', container_config: { Cmd: 5 } })), full);
});

test('a label may have any name', () => {
  const { config: parsed } = parseImageConfig(
    json(`{"architecture":"a","os":"b","rootfs":{},"config":{"Labels":{"__proto__":"x","constructor":"y"}}}`),
  );
  assert.deepEqual(Object.entries(parsed?.Labels ?? {}), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

for (const { name, value } of [
  { name: 'a list', value: [] },
  { name: 'nothing', value: '' },
  { name: 'no architecture', value: { os: 'linux', rootfs } },
  { name: 'no rootfs', value: { os: 'linux', architecture: 'a' } },
  { name: 'a rootfs of another type', value: { ...config, rootfs: { ...rootfs, type: 'layers+base' } } },
  { name: 'a diffID that is a path', value: { ...config, rootfs: { diff_ids: ['sha256:../x'] } } },
  { name: 'a diffID that is a number', value: { ...config, rootfs: { diff_ids: [1] } } },
  { name: 'a User that is a list', value: { ...config, config: { User: ['root'] } } },
  { name: 'Labels that are a list', value: { ...config, config: { Labels: ['a'] } } },
  { name: 'a label that is a number', value: { ...config, config: { Labels: { a: 1 } } } },
  { name: 'a Cmd that is text', value: { ...config, config: { Cmd: 'ls' } } },
  { name: 'a history that is text', value: { ...config, history: 'long' } },
  { name: 'an interval below zero', value: { ...config, config: { Healthcheck: { Interval: -1 } } } },
]) {
  test(`no config: ${name}`, () => assert.throws(() => parseImageConfig(json(value)), withCode('IMAGE_INVALID')));
}

const manifest = { schemaVersion: 2, config: descriptor, layers: [] };
for (const { name, value } of [
  { name: 'schema 1', value: { ...manifest, schemaVersion: 1 } },
  { name: 'no schema', value: { config: descriptor, layers: [] } },
  { name: 'no layers', value: { schemaVersion: 2, config: descriptor } },
  { name: 'no config', value: { schemaVersion: 2, layers: [] } },
  { name: 'an index at the same time', value: { ...manifest, manifests: [] } },
  { name: 'a size that is no whole number', value: { ...manifest, config: { ...descriptor, size: 1.5 } } },
  { name: 'a size that is too large to count', value: { ...manifest, config: { ...descriptor, size: 1e300 } } },
  { name: 'a size that is text', value: { ...manifest, config: { ...descriptor, size: '1' } } },
  { name: 'another algorithm', value: { ...manifest, config: { ...descriptor, digest: `md5:${'a'.repeat(32)}` } } },
  { name: 'no media type', value: { ...manifest, layers: [{ digest, size: 1 }] } },
]) {
  test(`no manifest: ${name}`, () => assert.throws(() => parseManifest(json(value)), withCode('IMAGE_INVALID')));
}

test('an index is no manifest at the same time', () => {
  assert.throws(() => parseIndex(json({ schemaVersion: 2, manifests: [], layers: [] })), withCode('IMAGE_INVALID', /does not belong/));
  assert.deepEqual(parseIndex(json({ schemaVersion: 2, manifests: [descriptor] })).manifests, [descriptor]);
});

test('a deep document is no way to a full stack', () => {
  const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
  assert.throws(() => parseManifest(json(deep)), withCode('IMAGE_INVALID'));
  assert.throws(() => parseManifest(json(`{"schemaVersion":${deep}}`)), withCode('IMAGE_INVALID'));
});
