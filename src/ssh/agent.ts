import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import type { PrivateKey } from './private-key.ts';
import { FieldReader, messagesOf, stringField, WireError } from './wire.ts';

/** Numbers of messages. Source: draft-miller-ssh-agent, section 5.1. */
const numbers = { failure: 5, listKeys: 11, keys: 12, sign: 13, signature: 14 } as const;

/** What a program may ask of an agent: which keys there are, and a signature. All else would change the agent, or tell more of it. */
const allowed: readonly (number | undefined)[] = [numbers.listKeys, numbers.sign];

const failure = stringField(Buffer.of(numbers.failure));

/** An agent of our own that knows these keys, for one connection. */
export const keyAgent = (keys: readonly PrivateKey[]): Duplex =>
  Duplex.from(async function* (requests: AsyncIterable<Uint8Array>) {
    for await (const request of messagesOf(requests)) yield answer(keys, request);
  });

function answer(keys: readonly PrivateKey[], request: Buffer): Buffer {
  if (request[0] === numbers.listKeys) {
    const count = Buffer.alloc(5);
    count.writeUInt8(numbers.keys);
    count.writeUInt32BE(keys.length, 1);
    return stringField(Buffer.concat([count, ...keys.flatMap(({ blob }) => [stringField(blob), stringField('')])]));
  }
  return request[0] === numbers.sign ? signed(keys, request) : failure;
}

function signed(keys: readonly PrivateKey[], request: Buffer): Buffer {
  try {
    const fields = new FieldReader(request.subarray(1));
    const [blob, data, flags] = [fields.string(), fields.string(), fields.number()];
    const key = keys.find((each) => each.blob.equals(blob));
    return key ? stringField(Buffer.concat([Buffer.of(numbers.signature), stringField(key.sign(data, flags))])) : failure;
  } catch (error) {
    // Of a request that makes no sense, an agent says just that.
    if (error instanceof WireError) return failure;
    throw error;
  }
}

/** A connection to the agent at a socket, through which no other request passes. */
export const guardedAgent = (path: string): Duplex =>
  Duplex.from(async function* (requests: AsyncIterable<Uint8Array>) {
    const socket = connect(path);
    try {
      const answers = messagesOf(socket);
      for await (const request of messagesOf(requests)) {
        if (!allowed.includes(request[0])) {
          yield failure;
          continue;
        }
        socket.write(stringField(request));
        const { value, done } = await answers.next();
        if (done) return;
        yield stringField(value);
      }
    } finally {
      socket.destroy();
    }
  });

/** A connection through which every byte passes. */
export const rawAgent = (path: string): Duplex => connect(path);
