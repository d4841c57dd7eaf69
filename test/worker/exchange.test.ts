import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FrameKind, frameKinds } from '../../src/worker/codec.ts';
import { Exchange, type ExchangeHandlers } from '../../src/worker/exchange.ts';

// The rules of one stream, from our side of the wire: what is sent after what came. worker.test.ts has the real worker on the other side.

interface Wire {
  readonly exchange: Exchange;
  readonly sent: { readonly kind: FrameKind; readonly payload: Buffer }[];
  take(kind: FrameKind, payload: string | Buffer): void;
}

function wire(handlers: ExchangeHandlers = {}): Wire {
  const sent: { kind: FrameKind; payload: Buffer }[] = [];
  const exchange = new Exchange(1, (kind, payload) => sent.push({ kind, payload: Buffer.from(payload) }), handlers);
  return { exchange, sent, take: (kind, payload) => exchange.take({ kind, stream: 1, payload: Buffer.from(payload) }) };
}

const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const settled = () => new Promise(setImmediate);

test('data is granted again when the reader has it, and not before', async () => {
  const reader = Promise.withResolvers<void>();
  const { sent, take } = wire({ onData: () => reader.promise });
  take(frameKinds.data, 'abc');
  await settled();
  assert.deepEqual(sent, []);
  reader.resolve();
  await settled();
  assert.deepEqual(sent, [{ kind: frameKinds.credit, payload: u32(3) }]);
});

test('input is sent up to the credit of 1 MiB, the rest when more is granted, then its end', async () => {
  async function* input(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(1024 * 1024 + 10);
  }
  const { sent, take } = wire({ input: input() });
  const bytes = () => sent.reduce((sum, { payload }) => sum + payload.length, 0);
  await settled();
  assert.equal(bytes(), 1024 * 1024);
  take(frameKinds.credit, u32(4));
  await settled();
  assert.equal(bytes(), 1024 * 1024 + 4);
  take(frameKinds.credit, u32(100));
  await settled();
  assert.equal(bytes(), 1024 * 1024 + 10);
  assert.equal(sent.at(-1)?.payload.length, 0);
  assert.ok(sent.every(({ kind }) => kind === frameKinds.data));
});

test('nothing more is sent after the response', async () => {
  const go = Promise.withResolvers<void>();
  async function* input(): AsyncGenerator<Uint8Array> {
    await go.promise;
    yield Buffer.from('late');
  }
  const { exchange, sent, take } = wire({ input: input() });
  take(frameKinds.response, '{"result":7}');
  assert.equal(await exchange.response, 7);
  go.resolve();
  await settled();
  assert.deepEqual(sent, []);
});

test('input that fails cancels the request', async () => {
  // biome-ignore lint/correctness/useYield: it fails before it has anything to give.
  async function* input(): AsyncGenerator<Uint8Array> {
    throw new Error('no such input');
  }
  const { exchange, sent } = wire({ input: input() });
  await assert.rejects(exchange.response, /no such input/);
  assert.deepEqual(sent, [{ kind: frameKinds.cancel, payload: Buffer.alloc(0) }]);
});

test('a code that we do not know is a defect', async () => {
  const { exchange, take } = wire();
  take(frameKinds.response, '{"error":{"code":"FROM_THE_FUTURE","message":"what"}}');
  await assert.rejects(exchange.response, { code: 'INTERNAL', message: 'what' });
});

for (const kind of [frameKinds.request, frameKinds.cancel]) {
  test(`a frame of kind ${kind} is nothing that a worker sends`, () => {
    assert.throws(() => wire().take(kind, ''), /frame of kind/);
  });
}
