// Starts dist/main.js with what V8 compiled the last time. The code in a compile cache is run without a look at its source, so it
// must be a folder that nobody else can write to: ours, 0700, in dist/. Where dist/ is not ours there is none.
import { lstatSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

const cache = join(import.meta.dirname, '../dist/.cache');

if (ours(cache)) enableCompileCache(cache);
await import('../dist/main.js');

function ours(directory) {
  try {
    const stat = lstatSync(directory, { throwIfNoEntry: false });
    if (!stat) {
      mkdirSync(directory, { mode: 0o700 });
      return true;
    }
    return stat.isDirectory() && stat.uid === process.getuid() && (stat.mode & 0o077) === 0;
  } catch {
    return false; // dist/ is not ours to write to.
  }
}
