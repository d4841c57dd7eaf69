import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, FrameReader, frameKinds } from '../../src/worker/codec.ts';
import { maxFrameBytes } from '../../src/worker/protocol.ts';

const readAll = (reader: FrameReader, chunks: readonly Buffer[]) => chunks.flatMap((chunk) => [...reader.push(chunk)]);

test('a frame is length, kind, stream, payload, little-endian', () => {
  assert.equal(encodeFrame(frameKinds.data, 0x01020304, Buffer.from('hi')).toString('hex'), `07000000${'04'}04030201${'6869'}`);
});

for (const size of [1, 3, 7, 1000]) {
  test(`frames survive being cut every ${size} bytes`, () => {
    const payloads = ['', 'a', 'bc'.repeat(300), ''];
    const bytes = Buffer.concat(payloads.map((payload, index) => encodeFrame(frameKinds.event, index + 1, Buffer.from(payload))));
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
    const frames = readAll(new FrameReader(), chunks);
    assert.deepEqual(
      frames.map(({ stream, payload }) => [stream, payload.toString()]),
      payloads.map((payload, index) => [index + 1, payload]),
    );
  });
}

for (const { name, bytes } of [
  { name: 'longer than the limit', bytes: lengthOf(maxFrameBytes + 1) },
  { name: 'too short for its own head', bytes: lengthOf(4) },
  { name: 'of an unknown kind', bytes: Buffer.from('050000000900000000', 'hex') },
]) {
  test(`a frame ${name} is refused before anything is kept for it`, () => {
    assert.throws(() => readAll(new FrameReader(), [bytes]), /frame of/);
  });
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(length);
  return bytes;
}
