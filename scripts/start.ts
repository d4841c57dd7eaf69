// `npm start`: builds fixtures/hello for real, runs it, and names what was made. Its store is in .cache/ of the repo, so nothing else of
// the machine is touched.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { compileHello } from './hello.ts';

const root = join(import.meta.dirname, '..');
const environment = { ...process.env, COOPER_ROOT: join(root, '.cache/demo') };

compileHello(join(root, 'fixtures/hello'));
cooper('build', '--tag', 'hello', 'fixtures/hello');
cooper('run', '--rm', 'hello');
cooper('images', '--quiet', 'hello');

/** Shows the command, runs it, and ends as it does when it fails. */
function cooper(...words: string[]): void {
  process.stderr.write(`\n$ ./bin/cooper ${words.join(' ')}\n`);
  const { status } = spawnSync(join(root, 'bin/cooper'), words, { cwd: root, env: environment, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
