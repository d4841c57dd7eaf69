import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { codes } from '../../src/diagnostics/codes.ts';
import { encodeFrame, type FrameKind, FrameReader, frameKinds } from '../../src/worker/codec.ts';
import { WorkerRefusal } from '../../src/worker/exchange.ts';
import type { Requests, WorkerError } from '../../src/worker/protocol.ts';

// The worker's tests read the same files (native/src/golden.rs): what both sides encode and decode alike, they agree on.

const folder = join(import.meta.dirname, '../../fixtures/protocol');
const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

/** All methods that we know; the type checker finds one that is missing or too many. */
const methods: Readonly<Record<keyof Requests, true>> = {
  hello: true,
  'handle.open': true,
  'secret.put': true,
  'lock.acquire': true,
  'lock.release': true,
  'store.discard': true,
  'store.exclusive': true,
  'store.usage': true,
  'tree.select': true,
  'tree.read': true,
  'tree.digest': true,
  'tree.user': true,
  'tree.stat': true,
  'tree.export': true,
  'layer.unpack': true,
  'layer.index': true,
  'layer.pack': true,
  'layer.compress': true,
  'layer.search': true,
  'file.copy': true,
  'file.mkdir': true,
  'sandbox.run': true,
  'sandbox.signal': true,
  'sandbox.resize': true,
  'sandbox.connect': true,
  'mount.discard': true,
  'mount.list': true,
  'mount.find': true,
  'mount.pack': true,
  'mount.unpack': true,
  'mount.prune': true,
  doctor: true,
};

test('there is a golden message for every method, and none for another', () => {
  const tables = ['errors.json', 'events.json', 'frames.json'];
  const files = readdirSync(folder).filter((name) => !tables.includes(name));
  assert.deepEqual(
    files.toSorted(),
    Object.keys(methods)
      .map((method) => `${method}.json`)
      .toSorted(),
  );
  for (const file of files) assert.equal(`${read(file).method}.json`, file);
});

for (const { name, kind, stream, payload, hex } of read('frames.json') as {
  name: string;
  kind: FrameKind;
  stream: number;
  payload: string;
  hex: string;
}[]) {
  test(`a frame with ${name} is encoded and decoded as on the other side`, () => {
    const bytes = Buffer.from(payload, 'latin1');
    assert.equal(encodeFrame(kind, stream, bytes).toString('hex'), hex);
    assert.deepEqual([...new FrameReader().push(Buffer.from(hex, 'hex'))], [{ kind, stream, payload: bytes }]);
  });
}

for (const method of Object.keys(methods)) {
  test(`a request of ${method} survives its frame`, () => {
    const message = read(`${method}.json`);
    const [frame] = new FrameReader().push(encodeFrame(frameKinds.request, 1, Buffer.from(JSON.stringify(message))));
    assert.deepEqual(JSON.parse(String(frame?.payload)), message);
  });
}

for (const error of read('errors.json') as WorkerError[]) {
  test(`${error.code} is a code of ours, and keeps its details`, () => {
    assert.ok(error.code in codes);
    const { code, message, hint, details } = new WorkerRefusal(error);
    assert.deepEqual({ code, message, hint }, { code: error.code, message: error.message, hint: error.hint });
    assert.deepEqual(details, error);
  });
}

test('every event of the worker has a type that we know', () => {
  const known = ['welcome', 'warning', 'started', 'connection', 'published', 'progress'];
  for (const { type } of read('events.json') as { type: string }[]) assert.ok(known.includes(type), type);
});
