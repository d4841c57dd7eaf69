import type { BuildError } from '../../src/index.ts';
import type { GitServer } from './git-server.ts';
import { type LayerEntry, lastLayer } from './layer-entries.ts';
import type { Bench } from './library.ts';

/** Of the caller: what git is found by. */
export const environment = { PATH: process.env.PATH, HOME: '/root' };

export const secret = (id: string, value: string) => ({ id, source: { value } });

type Options = Parameters<Bench['built']>[0];

/** Builds `FROM scratch` and this line, and gives the files of its layer. */
export async function added(
  bench: Bench,
  line: string,
  options: Options = {},
): Promise<Awaited<ReturnType<Bench['built']>> & { readonly files: ReadonlyMap<string, LayerEntry> }> {
  await bench.write({ Dockerfile: `FROM scratch\n${line}\n` });
  const built = await bench.built({ environment, ...options });
  return { ...built, files: await lastLayer(bench.root, built.result.digest) };
}

/** The same for a line that fails. */
export async function refused(bench: Bench, line: string, options: Options = {}): Promise<BuildError> {
  await bench.write({ Dockerfile: `FROM scratch\n${line}\n` });
  return bench.fails({ environment, ...options });
}

/** A repository with all kinds of files, and a history. */
export async function usualRepository(git: GitServer, ...format: readonly string[]): Promise<{ first: string; second: string }> {
  await git.create('r', ...format);
  const first = await git.commit('r', {
    'a.txt': 'one\n',
    run: { text: '#!/bin/sh\n' },
    link: { link: 'a.txt' },
    out: { link: '/etc/passwd' },
    'd/e/f': 'deep\n',
    '.dockerignore': '*\n',
  });
  await git.git('r', 'tag', 'light');
  await git.git('r', 'tag', '-a', 'v1', '-m', 'v1');
  await git.git('r', 'branch', 'old');
  await git.git('r', 'update-ref', 'refs/pull/1/head', first);
  const second = await git.commit('r', { 'a.txt': 'two\n' });
  return { first, second };
}
