import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { encodeFrame, type FrameKind, FrameReader, frameKinds } from '../../src/worker/codec.ts';
import type { Requests } from '../../src/worker/protocol.ts';

const folder = new URL('../../fixtures/protocol/', import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

// A row for each method: tsc fails when the protocol has one more or one less, the test when the fixtures do.
const methods: Record<keyof Requests, true> = {
  hello: true,
  'handle.open': true,
  'secret.put': true,
  'lock.acquire': true,
  'lock.release': true,
  'store.discard': true,
  'tree.select': true,
  'tree.digest': true,
  'tree.user': true,
  'tree.stat': true,
  'tree.export': true,
  'layer.unpack': true,
  'layer.index': true,
  'layer.pack': true,
  'layer.compress': true,
  'file.copy': true,
  'file.mkdir': true,
  'sandbox.run': true,
  'sandbox.signal': true,
  doctor: true,
};

test('every method has a golden message, and each message a method', () => {
  const others = ['errors.json', 'events.json', 'frames.json'];
  assert.deepEqual(readdirSync(folder).sort(), [...Object.keys(methods).map((method) => `${method}.json`), ...others].sort());
});

for (const { name, kind, stream, payload, hex } of read('frames.json') as readonly {
  readonly name: string;
  readonly kind: FrameKind;
  readonly stream: number;
  readonly payload: string;
  readonly hex: string;
}[]) {
  test(`${name} has the same bytes on both sides`, () => {
    assert.equal(encodeFrame(kind, stream, Buffer.from(payload)).toString('hex'), hex);
    const [frame] = [...new FrameReader().push(Buffer.from(hex, 'hex'))];
    assert.deepEqual([frame?.kind, frame?.stream, Buffer.from(frame?.payload ?? '').toString()], [kind, stream, payload]);
  });
}

for (const method of Object.keys(methods)) {
  test(`a request of ${method} survives its frame`, () => {
    const message = read(`${method}.json`);
    const [frame] = [...new FrameReader().push(encodeFrame(frameKinds.request, 1, Buffer.from(JSON.stringify(message))))];
    assert.deepEqual(JSON.parse(Buffer.from(frame?.payload ?? '').toString()), message);
  });
}
