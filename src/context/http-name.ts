import { splitUrl } from './url-parts.ts';

/**
 * The name of the file that a URL gives: the last part of its path. Always a name that can stand in a directory. Sources: BuildKit 0.32,
 * `dispatchCopy` and source/util/pathutil, `SafeFileName`.
 */
export function fileNameOf(url: string): string {
  const names = (splitUrl(url)?.path ?? '').split('/').filter((name) => name !== '');
  const name = names.at(-1);
  if (name === undefined || name === '.') return '__unnamed__';
  return isSafe(name.trim()) ? name.trim() : 'download';
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const isSafe = (name: string): boolean => !/^\.{0,2}$|[/\x00-\x1f\x7f-\x9f]/.test(name) && Buffer.byteLength(name) <= 255;
