import { readFile } from 'node:fs/promises';
import xxhash from 'xxhash-wasm';
import { ifThere, storing } from './store-error.ts';

// Small files that are not synced: a line of JSON, then a line with its checksum. After a loss of power one may be torn or empty; the
// checksum tells, and it counts as not there. It is xxh64: it guards against accidents in a folder that only its owner can write, and
// what the line says is named by sha256 digests.

const algorithm = xxhash();

/** The text of a checked file. */
export async function sealed(value: unknown): Promise<string> {
  const line = JSON.stringify(value);
  return `${line}\n${await checksumOf(line)}\n`;
}

/** The value in a checked file; undefined when there is none, or it is torn. */
export async function readSealed(path: string): Promise<unknown> {
  const text = await storing('read a record', () => ifThere(readFile(path, 'utf8')));
  const [line, checksum, ...rest] = text?.split('\n') ?? [];
  if (line === undefined || rest.length !== 1 || rest[0] !== '' || (await checksumOf(line)) !== checksum) return undefined;
  return JSON.parse(line);
}

const checksumOf = async (line: string): Promise<string> => (await algorithm).h64ToString(line);
