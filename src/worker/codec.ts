import { maxFrameBytes } from './protocol.ts';

/** Kinds of frames, as numbers on the wire. The table of protocol.ts. */
export const frameKinds = { request: 1, response: 2, event: 3, data: 4, credit: 5, cancel: 6 } as const;

export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

export interface Frame {
  readonly kind: FrameKind;
  readonly stream: number;
  readonly payload: Buffer;
}

/** kind and stream, which `length` counts besides the payload. */
const headBytes = 5;
const lengthBytes = 4;

/** The bytes of one frame. */
export function encodeFrame(kind: FrameKind, stream: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(lengthBytes + headBytes + payload.length);
  frame.writeUInt32LE(headBytes + payload.length, 0);
  frame.writeUInt8(kind, lengthBytes);
  frame.writeUInt32LE(stream, lengthBytes + 1);
  frame.set(payload, lengthBytes + headBytes);
  return frame;
}

/** Cuts a byte stream into frames. Throws when a frame is longer than `maxFrameBytes` or has an unknown kind: the peer is broken then. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;

  *push(chunk: Buffer): Generator<Frame> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (let size = this.#frameSize(); size !== undefined && this.#length >= size; size = this.#frameSize()) {
      yield decodeFrame(this.#take(size));
    }
  }

  /** Bytes of the frame at the front, its length field included; undefined until that is there. */
  #frameSize(): number | undefined {
    if (this.#length < lengthBytes) return undefined;
    const length = this.#front(lengthBytes).readUInt32LE(0);
    if (length < headBytes || length > maxFrameBytes) throw new Error(`frame of ${length} bytes`);
    return lengthBytes + length;
  }

  /** The first `size` bytes in one piece, still in the queue. */
  #front(size: number): Buffer {
    const first = this.#chunks[0];
    if (first && first.length >= size) return first;
    // Joined only when a frame is whole or its length is split, so each byte is copied at most twice.
    this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #take(size: number): Buffer {
    const joined = this.#front(size);
    const rest = joined.subarray(size);
    this.#chunks = rest.length > 0 ? [rest, ...this.#chunks.slice(1)] : this.#chunks.slice(1);
    this.#length -= size;
    return joined.subarray(0, size);
  }
}

function decodeFrame(bytes: Buffer): Frame {
  const kind = bytes.readUInt8(lengthBytes);
  if (kind < frameKinds.request || kind > frameKinds.cancel) throw new Error(`frame of unknown kind ${kind}`);
  return { kind: kind as FrameKind, stream: bytes.readUInt32LE(lengthBytes + 1), payload: bytes.subarray(lengthBytes + headBytes) };
}
