import { readFile } from 'node:fs/promises';
import { digestOf } from '../oci/digest.ts';
import { ifThere, storing } from './store-error.ts';

// Small files that are not synced: a line of JSON, then a line with its digest. After a loss of power one may be torn or empty; the
// digest tells, and it counts as not there.

/** The text of a checked file. */
export function sealed(value: unknown): string {
  const line = JSON.stringify(value);
  return `${line}\n${digestOf(line)}\n`;
}

/** The value in a checked file; undefined when there is none, or it is torn. */
export async function readSealed(path: string): Promise<unknown> {
  const text = await storing('read a record', () => ifThere(readFile(path, 'utf8')));
  const [line, digest, ...rest] = text?.split('\n') ?? [];
  if (line === undefined || rest.length !== 1 || rest[0] !== '' || digestOf(line) !== digest) return undefined;
  return JSON.parse(line);
}
