import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseIgnoreFile } from '../../src/context/ignore-file.ts';
import { Worker } from '../../src/worker/worker.ts';
import { temporaryFolder } from '../support/store.ts';

// Besides the root 6 directories with 3 files, and node_modules: 13 packages of 2 directories with a file each.
const packages = Array.from({ length: 13 }, (_, at) => `node_modules/p${at}`);
const directories = ['src/lib', ...packages.flatMap((name) => [`${name}/dist`, `${name}/src`]), 'keep/a/b', 'other'];

for (const { name, ignore, listed, entries } of [
  { name: 'without rules everything is looked into', ignore: '', listed: 1 + 2 + 40 + 3 + 1, entries: 9 + 66 },
  { name: 'an ignored directory is not', ignore: 'node_modules\n', listed: 1 + 2 + 3 + 1, entries: 9 },
  { name: 'a rule about something else changes nothing', ignore: 'node_modules\n!src/x\n', listed: 1 + 2 + 3 + 1, entries: 9 },
  { name: 'a rule of before cannot bring anything back', ignore: '!**/p1\nnode_modules\n', listed: 1 + 2 + 3 + 1, entries: 9 },
  {
    name: 'where one file is kept, only its way is looked into',
    ignore: 'node_modules\n!node_modules/p3/dist/f\n',
    listed: 7 + 3,
    entries: 9 + 4,
  },
  {
    name: 'a wildcard is followed as far as it reaches',
    ignore: 'node_modules\n!node_modules/*/dist\n',
    listed: 7 + 1 + 13 + 13,
    entries: 9 + 1 + 3 * 13,
  },
  { name: 'a name anywhere is looked for everywhere', ignore: '*\n!**/b\n', listed: 1 + 46, entries: 4 },
  { name: 'all but one directory', ignore: '*\n!keep\n', listed: 1 + 3, entries: 4 },
  { name: 'all but one directory, by its files', ignore: '**\n!keep/**\n', listed: 1 + 3, entries: 4 },
] as const) {
  test(`a walk under .dockerignore: ${name}`, async () => {
    await using folder = await temporaryFolder();
    const context = join(folder.path, 'context');
    for (const directory of directories) await mkdir(join(context, directory), { recursive: true });
    const files = directories.filter((directory) => !directory.startsWith('keep') && directory !== 'src/lib');
    for (const file of [...files, 'src/lib', 'keep/a/b'].map((directory) => `${directory}/f`)) await writeFile(join(context, file), 'x');
    await using worker = await Worker.start({ root: join(folder.path, 'store') });
    await worker.call('handle.open', { handle: 'context', path: context, access: 'read' });
    const source = { kind: 'handle', handle: 'context', ignore: parseIgnoreFile(ignore) } as const;
    const selected = await worker.call('tree.select', {
      selection: { source, sources: ['/'], exclude: [], parents: false, unpack: false },
    });
    assert.deepEqual({ listed: selected.directories, entries: selected.entries }, { listed, entries });
  });
}
