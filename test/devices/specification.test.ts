import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isQualifiedName, readSpecification } from '../../src/devices/specification.ts';

// Source: the specification of the Container Device Interface, 1.1, and its Go package.

const document = (more: object, edits: unknown = {}): string =>
  JSON.stringify({ cdiVersion: '0.6.0', kind: 'a.com/b', devices: [{ name: 'c', containerEdits: edits }], ...more });

test('a specification is read', () => {
  const text = document(
    { annotations: { k: 1, own: 'file' }, containerEdits: null, unknown: true },
    {
      env: ['A=b=c'],
      deviceNodes: [{ path: '/dev/x', permissions: 'rw', major: 1, minor: 0, fileMode: 432, gid: 5 }],
      hooks: [],
      additionalGids: [0],
    },
  );
  const { kind, devices } = readSpecification(text);
  assert.equal(kind, 'a.com/b');
  assert.deepEqual(devices.get('c'), {
    annotations: { k: '1', own: 'file' },
    edits: {
      env: ['A=b=c'],
      nodes: [{ path: '/dev/x', hostPath: '/dev/x', major: 1, minor: 0, mode: 432, gid: 5 }],
      mounts: [],
      refused: [],
    },
  });
});

test('what cannot be given is named', () => {
  const edits = { hooks: [{}], netDevices: [{}], intelRdt: {}, additionalGids: [1] };
  assert.equal(readSpecification(document({}, edits)).devices.get('c')?.edits.refused.length, 4);
});

for (const [name, text] of [
  ['no JSON', 'cdiVersion: 0.6.0'],
  ['a list', '[]'],
  ['another version', document({ cdiVersion: '2.0.0' })],
  ['no version', document({ cdiVersion: undefined })],
  ['a kind without vendor', document({ kind: 'b' })],
  ['a kind that is a path', document({ kind: '../b' })],
  ['no devices', document({ devices: [] })],
  ['a device twice', document({ devices: [{ name: 'c' }, { name: 'c' }] })],
  ['a name with a slash', document({ devices: [{ name: 'c/d' }] })],
  ['a variable without value', document({}, { env: ['A'] })],
  ['a relative path', document({}, { deviceNodes: [{ path: 'dev/x' }] })],
  ['a NUL in a path', document({}, { deviceNodes: [{ path: '/dev/x\0' }] })],
  ['a number that is none', document({}, { deviceNodes: [{ path: '/dev/x', major: -1 }] })],
  ['a pipe', document({}, { deviceNodes: [{ path: '/dev/x', type: 'p' }] })],
  ['permissions that cannot be kept', document({}, { deviceNodes: [{ path: '/dev/x', permissions: 'r' }] })],
  ['an option of a mount that nobody knows', document({}, { mounts: [{ hostPath: '/a', containerPath: '/b', options: ['suid'] }] })],
  ['a mount of another type', document({}, { mounts: [{ hostPath: '/a', containerPath: '/b', type: 'overlay' }] })],
] as const) {
  test(`a specification is refused: ${name}`, () => assert.throws(() => readSpecification(text)));
}

for (const [text, want] of [
  ['a.com/b=c', true],
  ['a/b=0:1', true],
  ['a.com/b', false],
  ['a.com/b=', false],
  ['a.com/b=*', false],
  ['/dev/a=b', false],
  ['0a/b=c', false],
  ['a/b-=c', false],
] as const) {
  test(`${text} is ${want ? '' : 'no '}full name`, () => assert.equal(isQualifiedName(text), want));
}
