import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { maxDocumentBytes } from '../oci/parse.ts';

/** Members of an archive: more is no layout of ours. */
const maxMembers = 100_000;
const block = 512;
const chunkBytes = 256 * 1024;

interface Member {
  readonly offset: number;
  readonly size: number;
}

/**
 * An OCI layout in a tar, read by place: nothing is unpacked, and blobs that nobody asks for are not read. Blobs are not checked here; whoever
 * takes them does that. Throws IMAGE_INVALID for what is no such archive.
 */
export class ArchiveFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #members: ReadonlyMap<string, Member>;

  private constructor(path: string, file: FileHandle, members: ReadonlyMap<string, Member>) {
    this.path = path;
    this.#file = file;
    this.#members = members;
  }

  /** Undefined when there is no such file. */
  static async open(path: string): Promise<ArchiveFile | undefined> {
    // A pipe in its place keeps nobody waiting.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined;
      throw new BuildError('IMAGE_INVALID', `"${path}" cannot be read: ${cause.message}`, { cause });
    });
    if (!file) return undefined;
    try {
      if (!(await file.stat()).isFile()) throw new BuildError('IMAGE_INVALID', `"${path}" is no regular file`);
      return new ArchiveFile(path, file, await membersOf(file, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A small member, whole. */
  async document(name: string): Promise<Buffer> {
    const { offset, size } = this.#member(name);
    if (size > maxDocumentBytes)
      throw new BuildError('IMAGE_INVALID', `"${name}" of "${this.path}" is longer than ${maxDocumentBytes} bytes`);
    const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(size), 0, size, offset);
    if (bytesRead < size) throw cut(this.path);
    return buffer;
  }

  has(digest: Digest): boolean {
    return this.#members.has(blobName(digest));
  }

  async *blob({ digest }: Pick<Descriptor, 'digest'>): AsyncGenerator<Uint8Array> {
    const { offset, size } = this.#member(blobName(digest));
    for (let at = 0; at < size; ) {
      const length = Math.min(chunkBytes, size - at);
      const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, offset + at);
      if (bytesRead === 0) throw cut(this.path);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  #member(name: string): Member {
    const found = this.#members.get(name);
    if (found) return found;
    throw new BuildError('IMAGE_INVALID', `"${this.path}" has no "${name}"`, { hint: 'it is no OCI layout in a tar, or not whole' });
  }
}

export const blobName = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;

/** Names of a layout are short, so headers for long ones say nothing that is needed. */
async function membersOf(file: FileHandle, path: string): Promise<ReadonlyMap<string, Member>> {
  const members = new Map<string, Member>();
  const header = Buffer.alloc(block);
  let empty = 0;
  let count = 0;
  for (let at = 0; empty < 2; ) {
    const { bytesRead } = await file.read(header, 0, block, at);
    // Some writers leave the end out.
    if (bytesRead === 0 && members.size > 0) break;
    if (bytesRead < block) throw cut(path);
    at += block;
    if (header.every((byte) => byte === 0)) {
      empty++;
      continue;
    }
    empty = 0;
    const size = sizeOf(header);
    if (size === undefined || ++count > maxMembers) throw new BuildError('IMAGE_INVALID', `"${path}" is no tar of an OCI layout`);
    const isFile = header[156] === 0 || header[156] === 0x30;
    if (isFile) members.set(nameOf(header), { offset: at, size });
    at += Math.ceil(size / block) * block;
  }
  return members;
}

/** Undefined for what is no header. Source: POSIX pax, "ustar Interchange Format"; sizes from 8 GiB on are base-256, as GNU tar writes them. */
function sizeOf(header: Buffer): number | undefined {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (octal(header.subarray(148, 156)) !== sum) return undefined;
  const field = header.subarray(124, 136);
  const size = field[0] === 0x80 ? Number(field.readBigUInt64BE(4)) : octal(field);
  return Number.isSafeInteger(size) ? size : undefined;
}

const octal = (field: Buffer): number => {
  const text = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trim();
  return /^[0-7]*$/.test(text) ? Number.parseInt(text || '0', 8) : Number.NaN;
};

const nameOf = (header: Buffer): string => (header.toString('latin1', 0, 100).split('\0')[0] ?? '').replace(/^\.\//, '');

const cut = (path: string): BuildError =>
  new BuildError('IMAGE_INVALID', `"${path}" ends in the middle`, { hint: 'it is damaged: make it again' });
