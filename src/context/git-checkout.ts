import { lstat, lutimes, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import { redactUrl } from './git-access.ts';
import { type GitSetting, runGit } from './git-command.ts';
import { gitError } from './git-failure.ts';
import { fetchCommit } from './git-fetch.ts';
import { type GitSource, mismatch, type ResolvedGit } from './git-resolve.ts';
import { updateSubmodules } from './git-submodules.ts';
import { isCommit } from './git-url.ts';

/** A repository that git works on, and the files that it lays down. */
export interface GitPlace {
  readonly gitDir: string;
  readonly workTree: string;
}

/**
 * Fetches one commit and lays its files down in `folder`, which is empty: the result is the directory whose path it gives. Modes are 0644 and
 * 0755, symlinks stay what they are and are never followed. Throws GIT_FAILED and CHECKSUM_MISMATCH. Source: BuildKit 0.32, source/git, `checkout`.
 */
export async function checkOut(
  source: GitSource,
  resolved: ResolvedGit,
  folder: string,
  setting: GitSetting,
  signal: AbortSignal,
): Promise<string> {
  const tree = join(folder, 'tree');
  await mkdir(tree, { mode: 0o755 });
  const keeps = source.keepGitDir && source.subdir === undefined;
  // What is fetched stands beside the tree where the tree gets a repository of its own.
  const fetched: GitPlace = { gitDir: keeps ? join(folder, 'fetched') : join(tree, '.git'), workTree: tree };
  try {
    await fetchCommit(source, resolved, fetched.gitDir, setting, signal);
    await checkChecksum(source, resolved, fetched, setting, signal);
    const kept: GitPlace = { gitDir: join(tree, '.git'), workTree: tree };
    if (keeps) await cloneInto(kept, fetched.gitDir, source, resolved, { ...setting, allowFile: true }, signal);
    else await inPlace(fetched, ['checkout', '-q', '--no-overlay', objectOf(source, resolved), '--', '.'], setting, signal);
    if (source.submodules) await updateSubmodules(kept, setting, signal);
    const time = source.mtime === 'commit' ? await commitTime(fetched, objectOf(source, resolved), setting, signal) : undefined;
    if (!keeps) await rm(kept.gitDir, { recursive: true, force: true });
    const result = await subdirectory(source, tree);
    if (time !== undefined) await setTimes(result, time);
    return result;
  } catch (error) {
    throw gitError(source.remote, 'fetch', error);
  }
}

/** A command on this repository. */
const inPlace = ({ gitDir, workTree }: GitPlace, args: readonly string[], setting: GitSetting, signal: AbortSignal): Promise<string> =>
  runGit(['-C', workTree, `--git-dir=${gitDir}`, `--work-tree=${workTree}`, ...args], setting, signal);

/** By what the files are named in the fetched repository. */
const objectOf = ({ fetchByCommit, checksum }: GitSource, { ref, object }: ResolvedGit): string =>
  fetchByCommit && checksum ? checksum : isCommit(ref) ? ref : object;

async function checkChecksum(
  source: GitSource,
  resolved: ResolvedGit,
  place: GitPlace,
  setting: GitSetting,
  signal: AbortSignal,
): Promise<void> {
  const { checksum, remote } = source;
  if (checksum === undefined) return;
  const object = objectOf(source, resolved);
  const found = [object, (await inPlace(place, ['rev-parse', `${object}^{}`], setting, signal)).trim()];
  if (!found.some((each) => each.startsWith(checksum))) throw mismatch(remote, checksum, [...new Set(found)]);
}

/** `.git` as BuildKit leaves it: one commit, the reference that was asked for, no trace of where it was fetched from on this machine. */
async function cloneInto(
  place: GitPlace,
  from: string,
  source: GitSource,
  resolved: ResolvedGit,
  setting: GitSetting,
  signal: AbortSignal,
): Promise<void> {
  const git = (...args: readonly string[]) => inPlace(place, args, setting, signal);
  const format = resolved.object.length === 64 ? ['--object-format=sha256'] : [];
  await git('init', '-q', ...format);
  await git('remote', 'add', 'origin', `file://${from}`);
  // It was checked when it came; a check here would make a pack of few objects, too.
  await git(
    '-c',
    'fetch.fsckObjects=false',
    'fetch',
    '-q',
    '-u',
    '--depth=1',
    '--',
    'origin',
    await refspec(from, source, resolved, setting, signal),
  );
  await git('checkout', '-q', 'FETCH_HEAD');
  await git('remote', 'set-url', 'origin', redactUrl(source.remote));
  await git('reflog', 'expire', '--all', '--expire=now');
  await rm(join(place.gitDir, 'FETCH_HEAD'), { force: true });
}

async function refspec(from: string, source: GitSource, resolved: ResolvedGit, setting: GitSetting, signal: AbortSignal): Promise<string> {
  const { ref } = resolved;
  const object = objectOf(source, resolved);
  const inFetched = (...args: readonly string[]) => runGit([`--git-dir=${from}`, ...args], setting, signal);
  const type = (await inFetched('cat-file', '-t', object)).trim();
  if (type === 'tag' && !isCommit(ref)) return `${ref}:${ref.startsWith('refs/tags/') ? ref : `refs/tags/${ref}`}`;
  if (source.fetchByCommit && ref !== object) {
    await inFetched('update-ref', 'refs/cooper/fetched', object);
    return `refs/cooper/fetched:${ref}`;
  }
  if (!isCommit(ref)) return `${ref}:${ref}`;
  await inFetched('update-ref', 'refs/cooper/fetched', object);
  return 'refs/cooper/fetched';
}

async function commitTime(place: GitPlace, object: string, setting: GitSetting, signal: AbortSignal): Promise<number> {
  return Number((await inPlace(place, ['log', '-1', '--format=%ct', `${object}^{commit}`], setting, signal)).trim());
}

/** The directory that was asked for: directories all the way, no symlink. */
async function subdirectory({ remote, subdir }: GitSource, tree: string): Promise<string> {
  if (subdir === undefined) return tree;
  let path = tree;
  for (const name of subdir.split('/')) {
    path = join(path, name);
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory()) continue;
    const what = found ? 'is not a directory' : 'is not there';
    throw new BuildError('GIT_FAILED', `"${subdir}" of "${redactUrl(remote)}" ${what}`, {
      hint: 'check the directory behind the ":" or in "subdir"',
    });
  }
  return path;
}

/** From the bottom up: a directory changes when something is made in it, not when its time is set. */
async function setTimes(path: string, seconds: number): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await setTimes(child, seconds);
    else await lutimes(child, seconds, seconds);
  }
  await lutimes(path, seconds, seconds);
}
