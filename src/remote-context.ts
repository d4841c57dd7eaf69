import { type GitUrl, parseGitUrl } from './context/git-url.ts';
import { BuildError } from './diagnostics/build-error.ts';
import type { GitSpec } from './graph/spec.ts';

/** Whether a text names a git repository, as a build context may. */
export const isGit = (text: string): boolean => parseGitUrl(text) !== undefined;

/** The repository that a text names. Throws CONTEXT_INVALID where its options are wrong. */
export function gitContext(
  text: string,
  { keepGitDir, commitTime }: { readonly keepGitDir?: boolean; readonly commitTime?: boolean } = {},
): GitSpec {
  const parsed = parseGitUrl(text);
  if (!parsed?.url) {
    throw new BuildError(
      'CONTEXT_INVALID',
      `"${text}" is no reference to a git repository: ${parsed?.problem ?? 'it is not well formed'}`,
      {
        hint: 'as in https://host/repo.git#branch:directory, or ?branch=…&subdir=…',
      },
    );
  }
  const { url } = parsed;
  return {
    kind: 'git',
    remote: remoteOf(url),
    ...(url.ref !== '' && { ref: url.ref }),
    ...(url.subdir !== '' && { subdir: url.subdir }),
    ...(url.checksum !== '' && { checksum: url.checksum }),
    keepGitDir: keepGitDir || (url.keepGitDir ?? false),
    submodules: url.submodules ?? true,
    mtime: url.mtime ?? (commitTime ? 'commit' : 'checkout'),
    fetchByCommit: url.fetchByCommit,
  };
}

/** `github.com/…` is written without a scheme. */
const remoteOf = ({ remote, looksLocal }: GitUrl): string => (looksLocal ? `https://${remote}` : remote);
