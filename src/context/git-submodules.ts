import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import type { GitPlace } from './git-checkout.ts';
import { GitFailure, type GitSetting, runGit } from './git-command.ts';

/** A repository can name new ones without end. */
const maxDepth = 10;
const maxSubmodules = 1000;

/** Fetches the submodules of a tree, and theirs. */
export async function updateSubmodules({ gitDir, workTree }: GitPlace, setting: GitSetting, signal: AbortSignal): Promise<void> {
  const budget = { left: maxSubmodules };
  const top = ['-C', workTree, `--git-dir=${gitDir}`, `--work-tree=${workTree}`];
  await updateLevel(workTree, top, 0, budget, setting, signal);
}

async function updateLevel(
  tree: string,
  place: readonly string[],
  depth: number,
  budget: { left: number },
  setting: GitSetting,
  signal: AbortSignal,
): Promise<void> {
  const links = submodulesOf(await runGit([...place, 'ls-files', '-s', '-z'], setting, signal));
  if (links.length === 0) return;
  budget.left -= links.length;
  if (depth >= maxDepth || budget.left < 0) {
    throw new BuildError('GIT_FAILED', `the submodules lie more than ${maxDepth} deep, or are more than ${maxSubmodules}`, {
      hint: 'leave them out: submodules=false in the query',
    });
  }
  await update([...place, 'submodule', '--quiet', 'update', '--init', '--depth=1'], setting, signal);
  for (const path of links) {
    const below = await directoryBelow(tree, path);
    // One that its superproject does not list in .gitmodules is an empty directory, as git leaves it.
    if (below !== undefined) await updateLevel(below, ['-C', below], depth + 1, budget, setting, signal);
  }
}

async function update(args: readonly string[], setting: GitSetting, signal: AbortSignal): Promise<void> {
  try {
    await runGit(args, setting, signal);
  } catch (error) {
    if (!(error instanceof GitFailure) || !/--depth|shallow|not our ref|unadvertised|did not contain/.test(error.stderr)) throw error;
    await runGit(
      args.filter((arg) => arg !== '--depth=1'),
      setting,
      signal,
    );
  }
}

/** Paths of the gitlinks in the index. Source: git-ls-files(1), `-s -z`. */
const submodulesOf = (listing: string): readonly string[] =>
  listing
    .split('\0')
    .filter((line) => line.startsWith('160000 '))
    .map((line) => line.slice(line.indexOf('\t') + 1));

/** A submodule that was fetched: it has a `.git` file. No component of its path is a symlink. */
async function directoryBelow(tree: string, path: string): Promise<string | undefined> {
  let at = tree;
  for (const name of path.split('/')) {
    if (name === '' || name === '.' || name === '..') return undefined;
    at = join(at, name);
    if (!(await lstat(at).catch(() => undefined))?.isDirectory()) return undefined;
  }
  return (await lstat(join(at, '.git')).catch(() => undefined))?.isFile() ? at : undefined;
}
