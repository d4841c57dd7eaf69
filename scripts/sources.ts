import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the bundle is made from, relative to the repo. The list in scripts/setup is the same. */
export const bundleSources = ['grammar', 'src', 'scripts/bundle.ts', 'scripts/sources.ts', 'package.json', 'package-lock.json'] as const;

/** Names a set of files by their paths and bytes, as `digest_of` in scripts/setup does: sha256 of what sha256sum prints, sorted by path. */
export function sourcesDigest(root: string, paths: readonly string[]): string {
  const files = paths.flatMap((path) => filesOf(root, path));
  files.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const lines = files.map((file) => `${sha256(readFileSync(join(root, file)))}  ${file}\n`);
  return sha256(lines.join(''));
}

function filesOf(root: string, path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path)).flatMap((name) => filesOf(root, `${path}/${name}`));
}

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
