import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Where one of these texts stands in a folder: in the names, targets and bytes of its files, and in what gzip files hold. */
export function foundIn(directory: string, texts: readonly string[]): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const contents = entry.isFile() ? bytesOf(path) : entry.isSymbolicLink() ? [Buffer.from(readlinkSync(path))] : [];
    if ([Buffer.from(entry.name), ...contents].some((bytes) => texts.some((text) => bytes.includes(text)))) found.push(path);
  }
  return found;
}

function bytesOf(path: string): Buffer[] {
  const bytes = readFileSync(path);
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? [bytes, gunzipSync(bytes)] : [bytes];
}
