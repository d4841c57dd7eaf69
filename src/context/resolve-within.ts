import { readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Symlinks that may be met on one path: the kernel's own limit. */
const maxLinks = 40;

/**
 * Follows the symlinks of `name` as if `root` were `/`: none leads out of it. Undefined where there are too many of them. The result may not
 * be there.
 */
export async function resolveWithin(root: string, name: string): Promise<string | undefined> {
  const todo = name.split('/').toReversed();
  const done: string[] = [];
  for (let links = 0; ; ) {
    const part = todo.pop();
    if (part === undefined) return join(root, ...done);
    if (part === '..') done.pop();
    if (part === '' || part === '.' || part === '..') continue;
    const target = await linkAt(join(root, ...done, part));
    if (target === undefined) done.push(part);
    else if (++links > maxLinks) return undefined;
    else {
      if (target.startsWith('/')) done.length = 0;
      todo.push(...target.split('/').toReversed());
    }
  }
}

async function linkAt(path: string): Promise<string | undefined> {
  // What is no symlink, or is not there, is taken as it stands.
  return readlink(path).catch(() => undefined);
}
