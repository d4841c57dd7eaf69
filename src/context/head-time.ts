import { BuildError } from '../diagnostics/build-error.ts';
import { type GitEnvironment, GitFailure, runGit } from './git-command.ts';

/**
 * When the commit was made that a directory's git repository stands at, in seconds since 1970. Asked for by plumbing alone: no setting of the
 * repository can make that run a program, so it need not be our own. Throws GIT_FAILED where there is none.
 */
export async function headTime(directory: string, environment: GitEnvironment, signal: AbortSignal): Promise<number> {
  const args = ['-C', directory, '-c', 'safe.directory=*', 'cat-file', 'commit', 'HEAD'];
  const commit = await runGit(args, { environment }, signal).catch((error) => {
    throw error instanceof GitFailure ? noCommit(directory, error) : error;
  });
  const [header = ''] = commit.split('\n\n', 1);
  const time = /^committer .*> (\d{1,12}) [-+]\d{4}$/m.exec(header)?.[1];
  if (time === undefined) throw noCommit(directory, undefined);
  return Number(time);
}

const noCommit = (directory: string, cause: unknown): BuildError =>
  new BuildError('GIT_FAILED', `"${directory}" has no git commit whose time the image could have`, {
    cause,
    hint: 'set SOURCE_DATE_EPOCH to a number of seconds since 1970, or leave out "--reproducible"',
  });
