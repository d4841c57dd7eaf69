import { redactUrl } from '../context/git-access.ts';
import { cleanSubdir, type GitUrl, parseGitUrl } from '../context/git-url.ts';
import { fileNameOf } from '../context/http-name.ts';
import type { GitSpec, HttpSpec, Spec } from '../graph/spec.ts';
import { type Vertex, vertex } from '../graph/vertex.ts';
import { isDigest } from '../oci/digest.ts';
import type { FlagValue } from './flags.ts';
import { invalid, rangeOf, rangeOfArg, type Step } from './step.ts';

/** What ADD is told of remote sources beside their names. */
export interface RemoteFlags {
  readonly checksum: FlagValue | undefined;
  readonly keepGitDir: boolean | undefined;
}

/** Whether ADD takes this source for a URL or a repository, and no path. */
export const isRemote = (source: string): boolean => isHttp(source) || isGit(source);

/** The vertex of a source that is fetched, and the pattern that selects its files; undefined for a path. */
export function remoteVertex(
  step: Step,
  source: string,
  index: number,
  flags: RemoteFlags,
): { readonly vertex: Vertex<Spec>; readonly pattern: string } | undefined {
  const git = parseGitUrl(source);
  if (git?.problem !== undefined) {
    throw invalid(step, `"${source}" is no reference to a git repository: ${git.problem}`, {
      range: rangeOfArg(step, index),
      hint: 'as in https://host/repo.git#branch:directory, or ?branch=…&subdir=…',
    });
  }
  const spec = git && !git.url.looksLocal ? gitSpec(step, git.url, flags) : isHttp(source) ? httpSpec(step, source, flags) : undefined;
  if (!spec) return undefined;
  const pattern = spec.kind === 'http' ? escapePattern(spec.filename) : '/';
  return { vertex: vertex<Spec>(spec, [], `fetch ${redactUrl(source)}`, rangeOfArg(step, index)), pattern };
}

const isHttp = (source: string): boolean => /^https?:\/\//.test(source);

function isGit(source: string): boolean {
  const git = parseGitUrl(source);
  return git !== undefined && !git.url?.looksLocal;
}

function httpSpec(step: Step, url: string, { checksum }: RemoteFlags): HttpSpec {
  const digest = checksum?.value;
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(step, `"${digest}" is not the checksum of a file`, {
      range: checksum?.range ?? rangeOf(step),
      hint: 'that of a URL is sha256: and 64 hexadecimal digits',
    });
  }
  return { kind: 'http', url, filename: fileNameOf(url), ...(digest !== undefined && { checksum: digest }) };
}

function gitSpec(step: Step, url: GitUrl, flags: RemoteFlags): GitSpec {
  const keepGitDir = agreed(step, 'keep-git-dir', flags.keepGitDir, url.keepGitDir);
  const checksum = agreed(step, 'checksum', flags.checksum?.value, url.checksum || undefined, flags.checksum);
  const subdir = cleanSubdir(url.subdir);
  return {
    kind: 'git',
    remote: url.remote,
    ...(url.ref !== '' && { ref: url.ref }),
    ...(subdir !== '' && { subdir }),
    ...(checksum !== undefined && { checksum }),
    keepGitDir: keepGitDir ?? false,
    submodules: url.submodules ?? true,
    mtime: url.mtime ?? 'checkout',
    fetchByCommit: url.fetchByCommit,
  };
}

/** What the flag and the query of a reference say, which must not contradict each other. */
function agreed<T>(step: Step, name: string, flag: T | undefined, query: T | undefined, place?: FlagValue): T | undefined {
  if (flag !== undefined && query !== undefined && flag !== query) {
    throw invalid(step, `"${name}" is "${flag}" in the flag and "${query}" in the reference`, { range: place?.range ?? rangeOf(step) });
  }
  return query ?? flag;
}

/** So that a file's name is no pattern. Source: Go, filepath.Match. */
const escapePattern = (name: string): string => name.replace(/[*?[\]\\]/g, '\\$&');
