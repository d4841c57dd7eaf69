import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { GitSpec, HttpSpec } from '../graph/spec.ts';
import type { RemoteSources } from './remote-sources.ts';

/**
 * When a remote source was made, in seconds since 1970: the commit's time, a file's Last-Modified, else that of the newest file in an archive.
 * Undefined where nothing says so. Source: BuildKit, `resolveSourceDateEpochFromState`.
 */
export async function sourceTime(remote: RemoteSources, spec: HttpSpec | GitSpec, signal: AbortSignal): Promise<number | undefined> {
  if (spec.kind === 'git') {
    // Its files have the commit's time then, and so has the directory that they lie in.
    const { subdir: _subdir, ...whole } = spec;
    const directory = await remote.source({ ...whole, keepGitDir: false, submodules: false, mtime: 'commit' }).directory(signal);
    return secondsOf(await lstat(directory));
  }
  const file = join(await remote.source(spec).directory(signal), spec.filename);
  const seconds = secondsOf(await lstat(file));
  if (seconds) return seconds;
  // Loaded only here: few builds look into an archive.
  const { newestInArchive } = await import('../context/archive-time.ts');
  return newestInArchive(createReadStream(file), signal);
}

const secondsOf = ({ mtimeMs }: { readonly mtimeMs: number }): number => Math.floor(mtimeMs / 1000);
