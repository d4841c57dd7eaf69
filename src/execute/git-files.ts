import { type Access, gitSetting, redactUrl } from '../context/git-access.ts';
import { checkOut } from '../context/git-checkout.ts';
import { type ResolvedGit, resolveGit } from '../context/git-resolve.ts';
import type { GitSpec } from '../graph/spec.ts';
import { digestOf } from '../oci/digest.ts';
import { field } from '../solve/key.ts';
import type { FetchedFolders } from '../store/fetched-folders.ts';
import { once } from './once.ts';
import type { RemoteSource, RunFetch } from './remote-sources.ts';

/** The files of a repository, kept in the store: a folder for each commit and way to check it out. */
export function gitFiles(spec: GitSpec, folders: FetchedFolders, access: Access, run: RunFetch): RemoteSource {
  const resolve = async (signal: AbortSignal): Promise<ResolvedGit> => {
    await using setting = await gitSetting(spec.remote, access);
    return await resolveGit(spec, setting, signal);
  };
  const resolved = once((signal) => run(resolve, signal));
  const directory = once(async (signal) => {
    const found = await resolved(signal);
    const name = digestOf(JSON.stringify(gitIdentity(spec, found)));
    const there = await folders.find('git', name);
    if (there !== undefined) return there;
    const fetch = async (stop: AbortSignal): Promise<string> => {
      await using temporary = await folders.temporary();
      await using setting = await gitSetting(spec.remote, access);
      return await folders.keep('git', name, temporary, await checkOut(spec, found, temporary.path, setting, stop));
    };
    return run(fetch, signal);
  });
  return { key: async (signal) => field('git', gitKey(spec, await resolved(signal))), directory };
}

/**
 * What enters the key of a repository's files. Not the remote: one commit has the same files wherever it comes from. Its name, and that
 * of the reference, count where `.git` is kept, because that holds them.
 */
function gitKey(spec: GitSpec, { object, commit, fullRef }: ResolvedGit): unknown {
  const { subdir, keepGitDir, submodules, mtime } = spec;
  return {
    commit: commit ?? object,
    subdir: subdir ?? '',
    submodules,
    mtime,
    ...(keepGitDir && { keepGitDir, fullRef, remote: redactUrl(spec.remote) }),
  };
}

/** Names the folder: the remote counts here, because submodules and a kept .git depend on it. */
const gitIdentity = (spec: GitSpec, resolved: ResolvedGit): unknown => [
  spec.remote,
  spec.ref ?? '',
  gitKey(spec, resolved),
  resolved.object,
];
