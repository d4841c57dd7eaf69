/** Bytes that tell an archive: the header of a tar is one block. */
const headBytes = 512;

/** A stream whose first bytes have been looked at; `all` still has them. */
export interface Peeked {
  readonly head: Buffer;
  readonly all: AsyncIterable<Uint8Array>;
}

/** Reads the first bytes of a stream, fewer where it is shorter. */
export async function peek(stream: AsyncIterable<Uint8Array>): Promise<Peeked> {
  const iterator = stream[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < headBytes) {
    const { done, value } = await iterator.next();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  return { head: Buffer.concat(chunks), all: rest(chunks, iterator) };
}

async function* rest(chunks: readonly Uint8Array[], iterator: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  yield* chunks;
  for (;;) {
    const { done, value } = await iterator.next();
    if (done) return;
    yield value;
  }
}

/** bzip2, gzip, xz, zstd. */
const magics = ['425a68', '1f8b08', 'fd377a585a00', '28b52ffd'].map((hex) => Buffer.from(hex, 'hex'));

/** Whether bytes are the beginning of an archive: a tar, plain or compressed. Names don't count. */
export function isArchive(head: Buffer): boolean {
  return magics.some((magic) => head.subarray(0, magic.length).equals(magic)) || isTarHeader(head);
}

/** A tar header has a checksum of itself, in which the checksum's own field counts as spaces. Source: POSIX, pax, "ustar Interchange Format". */
function isTarHeader(head: Buffer): boolean {
  if (head.length < headBytes) return false;
  const text = head
    .toString('latin1', 148, 156)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]+$/.test(text)) return false;
  let sum = 0;
  for (let at = 0; at < headBytes; at++) sum += at >= 148 && at < 156 ? 32 : (head[at] ?? 0);
  return sum === Number.parseInt(text, 8);
}
