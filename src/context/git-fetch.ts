import { BuildError } from '../diagnostics/build-error.ts';
import { commandUrl, redactUrl } from './git-access.ts';
import { GitFailure, type GitSetting, runGit } from './git-command.ts';
import type { GitSource, ResolvedGit } from './git-resolve.ts';
import { isCommit } from './git-url.ts';

/** Makes a repository at `gitDir` that has the resolved object, with as little history as the server lets us. */
export async function fetchCommit(
  { remote, keepGitDir, fetchByCommit }: GitSource,
  { ref, object }: ResolvedGit,
  gitDir: string,
  setting: GitSetting,
  signal: AbortSignal,
): Promise<void> {
  const git = (...args: readonly string[]) => runGit([`--git-dir=${gitDir}`, ...args], setting, signal);
  const has = () =>
    git('cat-file', '-e', object).then(
      () => true,
      () => false,
    );
  // One request for one commit, where the server allows that; else all that its references lead to.
  const byCommit = async (): Promise<void> => {
    const isShallow =
      !keepGitDir && (await git('fetch', '-q', '--progress', '--depth=1', '--no-tags', 'origin', object).then(() => true, notAllowed));
    if (isShallow) return;
    await withoutDepth(git, ['fetch', '-q', '--progress', '--tags', 'origin', object]);
  };
  const format = object.length === 64 ? ['--object-format=sha256'] : [];
  await runGit(['init', '-q', '--bare', '--template=', ...format, '--', gitDir], setting, signal);
  await git('config', 'core.bare', 'false');
  await git('remote', 'add', '--', 'origin', commandUrl(remote));
  if (isCommit(ref) || fetchByCommit) return byCommit();
  const target = ref.startsWith('refs/tags/') ? ref : `tags/${ref}`;
  await withoutDepth(git, ['fetch', '-q', '--progress', '--depth=1', '--no-tags', 'origin', '--force', '--', `${ref}:${target}`]);
  // The reference may have moved since it was resolved, or stand for a tag and a branch: it was resolved once, and that counts.
  if (!(await has())) await byCommit();
  if (!(await has())) {
    throw new BuildError('GIT_FAILED', `"${ref}" of "${redactUrl(remote)}" moved while it was fetched, and "${object}" is gone`, {
      hint: 'build again',
    });
  }
  await git('update-ref', '--no-deref', target.startsWith('refs/') ? target : `refs/${target}`, object);
}

type Git = (...args: readonly string[]) => Promise<string>;

/** Old servers and plain files over http have no shallow fetches, and give no commit by its name alone. */
async function withoutDepth(git: Git, args: readonly string[]): Promise<void> {
  const failure = await failureOf(git(...args));
  if (!failure) return;
  if (/--depth|shallow/.test(failure.stderr) && args.includes('--depth=1'))
    return withoutDepth(
      git,
      args.filter((arg) => arg !== '--depth=1'),
    );
  if (isUnadvertised(failure) && isCommit(args.at(-1) ?? '')) return withoutDepth(git, args.slice(0, -1));
  throw failure;
}

const failureOf = (running: Promise<string>): Promise<GitFailure | undefined> =>
  running.then(
    () => undefined,
    (error) => {
      if (error instanceof GitFailure) return error;
      throw error;
    },
  );

/** Only what a server may refuse for its own rules is tried in another way. */
function notAllowed(error: unknown): false {
  if (error instanceof GitFailure && (isUnadvertised(error) || /--depth|shallow/.test(error.stderr))) return false;
  throw error;
}

const isUnadvertised = ({ stderr }: GitFailure): boolean =>
  /not our ref|unadvertised object|no such remote ref|couldn't find remote ref/i.test(stderr);
