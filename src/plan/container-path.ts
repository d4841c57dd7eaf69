import { posix } from 'node:path';

/** `path` as seen from `directory` inside the image: absolute, clean, without a trailing `/`. `..` stops at the root. */
export const absolutePath = (directory: string, path: string): string => withoutSlash(posix.resolve('/', directory, path));

/**
 * What WORKDIR makes of the working directory: an absolute path as it was written, a relative one joined to `current`; an empty one changes
 * nothing. Source: BuildKit, util/system, `NormalizeWorkdir`.
 */
export function nextWorkdir(current: string, path: string): string {
  const parent = current.startsWith('/') ? current : absolutePath('/', current);
  if (path === '') return parent;
  return path.startsWith('/') ? path : absolutePath(parent, path);
}

/** As absolutePath, for a destination of COPY: a trailing `/` (or `/.`, `.`, an empty path) means a directory and is kept. */
export function destinationPath(directory: string, path: string): string {
  const clean = absolutePath(directory, path);
  const isDirectory = path === '' || path === '.' || path.endsWith('/') || path.endsWith('/.');
  return isDirectory && clean !== '/' ? `${clean}/` : clean;
}

/** A path within a source: absolute, clean. */
export const sourcePath = (path: string): string => absolutePath('/', path.replace(/^\/+/, ''));

/** As Go's path.Clean. */
export const cleanPath = (path: string): string => withoutSlash(posix.normalize(path));

const withoutSlash = (path: string): string => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path);
