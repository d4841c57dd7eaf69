import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const source = join(import.meta.dirname, '../fixtures/hello/hello.c');

/** Compiles fixtures/hello/hello.c to the static binary `hello` in this directory: all that the image has. */
export function compileHello(directory: string): void {
  const { status, error } = spawnSync('gcc', ['-static', '-Os', '-s', '-o', join(directory, 'hello'), source], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('gcc cannot make a static binary of fixtures/hello/hello.c', { cause: error });
}
