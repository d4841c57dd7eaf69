import { BuildError } from '../diagnostics/build-error.ts';
import { commandUrl, redactUrl } from './git-access.ts';
import { type GitSetting, runGit } from './git-command.ts';
import { gitError } from './git-failure.ts';
import { isCommit } from './git-url.ts';

/** Which files of a repository are meant. */
export interface GitSource {
  readonly remote: string;
  readonly ref?: string;
  readonly subdir?: string;
  readonly checksum?: string;
  readonly keepGitDir: boolean;
  readonly submodules: boolean;
  readonly mtime: 'checkout' | 'commit';
  readonly fetchByCommit: boolean;
}

/** Where a reference stands. */
export interface ResolvedGit {
  /** As git is asked for it: what was written, or the name of the default branch. */
  readonly ref: string;
  /** Full, `refs/heads/main`; the commit where one was named. */
  readonly fullRef: string;
  /** What the reference names: a commit, or the object of an annotated tag. */
  readonly object: string;
  /** The commit behind an annotated tag. */
  readonly commit?: string;
}

/**
 * Asks the remote where the reference stands; a full commit is believed as it is. Throws GIT_FAILED, and CHECKSUM_MISMATCH where it stands
 * elsewhere than it should. Source: BuildKit 0.32, source/git, `resolveMetadata`.
 */
export async function resolveGit(source: GitSource, setting: GitSetting, signal: AbortSignal): Promise<ResolvedGit> {
  const { remote, ref = '', checksum = '', fetchByCommit } = source;
  checkWords(source);
  if (isCommit(ref)) {
    if (!ref.startsWith(checksum)) throw mismatch(remote, checksum, [ref]);
    return { ref, fullRef: ref, object: ref };
  }
  if (fetchByCommit) {
    if (!isCommit(checksum)) {
      throw new BuildError('GIT_FAILED', `"fetch-by-commit" wants a full commit, not "${checksum}"`, {
        hint: 'write it whole: checksum=<40 digits>',
      });
    }
    const fullRef = ref === '' ? checksum : ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
    return { ref: ref === '' ? checksum : fullRef, fullRef, object: checksum };
  }
  const name = ref || (await defaultBranch(remote, setting, signal));
  const printed = await ask(remote, ['ls-remote', '--', commandUrl(remote), name, `${name}^{}`], setting, signal);
  return checked(source, name, printed);
}

function checked({ remote, checksum = '', keepGitDir }: GitSource, ref: string, printed: string): ResolvedGit {
  const heads = new Map(printed.split('\n').map((line) => line.split('\t', 2).toReversed() as [string, string]));
  const tag = `refs/tags/${withoutPrefix(ref, 'refs/tags/')}`;
  // A full name counts first, then branches, as in `git checkout`.
  const candidates = [`refs/${withoutPrefix(ref, 'refs/')}`, `refs/heads/${withoutPrefix(ref, 'refs/heads/')}`, tag];
  const fullRef = candidates.find((name) => heads.get(name));
  const object = fullRef && heads.get(fullRef);
  if (fullRef === undefined || !object) {
    throw new BuildError('GIT_FAILED', `"${redactUrl(remote)}" has no reference "${ref}"`, {
      hint: 'it is a branch, a tag, or a full commit; of a commit all digits are needed',
    });
  }
  if (!isCommit(object)) throw new BuildError('GIT_FAILED', `"${redactUrl(remote)}" names no commit for "${ref}"`);
  const commit = fullRef === tag ? heads.get(`${tag}^{}`) : undefined;
  const found = [object, ...(commit ? [commit] : [])];
  if (!found.some((each) => each.startsWith(checksum))) throw mismatch(remote, checksum, found);
  return { ref, fullRef, object, ...(commit && !keepGitDir && { commit }) };
}

/** The name of the branch that HEAD is, without `refs/heads/`. */
async function defaultBranch(remote: string, setting: GitSetting, signal: AbortSignal): Promise<string> {
  const printed = await ask(remote, ['ls-remote', '--symref', '--', commandUrl(remote), 'HEAD'], setting, signal);
  const branch = /refs\/heads\/(\S+)/.exec(printed)?.[1];
  if (branch !== undefined && !branch.startsWith('-')) return branch;
  throw new BuildError('GIT_FAILED', `"${redactUrl(remote)}" has no default branch`, {
    hint: 'it may be empty; name a branch, a tag or a commit: #ref',
  });
}

const ask = (remote: string, args: readonly string[], setting: GitSetting, signal: AbortSignal): Promise<string> =>
  runGit(args, setting, signal).catch((error) => {
    throw gitError(remote, 'read', error);
  });

/** Nothing may be taken for an option, and a reference is one. Source: git-check-ref-format(1). */
function checkWords({ remote, ref = '', checksum = '' }: GitSource): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/^-|[\x00-\x1f\x7f]/.test(remote)) throw new BuildError('GIT_FAILED', `"${remote}" is no address of a repository`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the same.
  if (/^[-/]|[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\.lock(?:\/|$)|[/.]$/.test(ref)) {
    throw new BuildError('GIT_FAILED', `"${ref}" cannot be the name of a reference`, { hint: 'name a branch, a tag or a commit' });
  }
  if (/^[0-9a-fA-F]*$/.test(checksum)) return;
  throw new BuildError('GIT_FAILED', `the checksum "${checksum}" is no commit`, {
    hint: 'that of a repository is a commit, or how it begins: hexadecimal digits',
  });
}

/** What was fetched is not what was asked for. */
export function mismatch(remote: string, checksum: string, found: readonly string[]): BuildError {
  const message = `expected commit "${checksum}" of "${redactUrl(remote)}", found ${found.map((each) => `"${each}"`).join(' or ')}`;
  return new BuildError('CHECKSUM_MISMATCH', message, { hint: 'the reference was moved, or the checksum is of another one' });
}

const withoutPrefix = (text: string, prefix: string): string => (text.startsWith(prefix) ? text.slice(prefix.length) : text);
