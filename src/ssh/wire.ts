// The wire forms of SSH that agents and key files share. Source: RFC 4251, section 5; draft-miller-ssh-agent, section 3.

/** The longest message of an agent, in bytes: as in OpenSSH. */
const maxMessageBytes = 256 * 1024;

/** Something is not what the protocol says. */
export class WireError extends Error {}

/** Reads the fields of a message one after the other. Throws a WireError behind its end. */
export class FieldReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new WireError('it is cut off');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  number(): number {
    return this.take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.take(this.number());
  }
}

/** `u32 length | bytes`. */
export function stringField(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A positive integer in as few bytes as it needs; the first bit is its sign. */
export function integerField(bytes: Uint8Array): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? new Uint8Array() : bytes.subarray(start);
  return stringField((digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits);
}

/** The messages of a stream, without their length. Throws a WireError for one that is empty or too long, before it is kept. */
export async function* messagesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let chunks: Uint8Array[] = [];
  let [length, wanted] = [0, 4];
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    // Joined only when there is enough: a byte at a time must not cost more than a message at a time.
    while (length >= wanted) {
      const bytes = Buffer.concat(chunks);
      const size = bytes.readUInt32BE();
      if (size === 0 || size > maxMessageBytes) throw new WireError(`a message has ${size} bytes`);
      const isWhole = length >= 4 + size;
      if (isWhole) yield bytes.subarray(4, 4 + size);
      const rest = isWhole ? bytes.subarray(4 + size) : bytes;
      [chunks, length, wanted] = [[rest], rest.length, isWhole ? 4 : 4 + size];
    }
  }
}
