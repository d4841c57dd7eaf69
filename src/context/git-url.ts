import { posix } from 'node:path';
import { cut, parseQuery, splitUrl } from './url-parts.ts';

/** A git repository as a Dockerfile or a command line names it. */
export interface GitUrl {
  /** What git is given: without query and fragment. `github.com/…` stands without a scheme, https is meant. */
  readonly remote: string;
  /** The last part of the path, without `.git`. */
  readonly shortName: string;
  /** Commit, tag, branch or full reference; empty for the default branch. */
  readonly ref: string;
  /** As written in the query, cleaned where it stood in the fragment; empty for the whole tree. Use `cleanSubdir`. */
  readonly subdir: string;
  /** A commit, or how it begins; empty when none is asked for. */
  readonly checksum: string;
  /** `github.com/…` could as well be a path: only a build context may be written like this. */
  readonly looksLocal: boolean;
  /** http and git: nobody vouches for what comes. */
  readonly unencrypted: boolean;
  readonly keepGitDir?: boolean;
  readonly submodules?: boolean;
  readonly mtime?: 'checkout' | 'commit';
  /** Takes `checksum` for the commit and does not ask where the reference stands now. */
  readonly fetchByCommit: boolean;
}

/** What `parseGitUrl` found: a repository, or one whose options are wrong. */
export type ParsedGitUrl = { readonly url: GitUrl; readonly problem?: undefined } | { readonly problem: string; readonly url?: undefined };

/**
 * Whether a text names a git repository, and which: `https://host/name.git`, `git://`, `ssh://`, `user@host:path`, `github.com/…`, with
 * `#ref:directory` or options in the query. Undefined for anything else. Source: BuildKit 0.32, dfgitutil and gitutil.
 */
export function parseGitUrl(text: string): ParsedGitUrl | undefined {
  if (text.startsWith('./') || text.startsWith('../')) return undefined;
  const place = text.startsWith('github.com/') ? ofGitHub(text) : (ofUrl(text) ?? ofHost(text));
  if (!place) return undefined;
  const [ref, directory] = cut(place.fragment, ':');
  const names = place.remote.split('/');
  const url: GitUrl = {
    remote: place.remote,
    shortName: (names.at(-1) ?? '').replace(/\.git$/, ''),
    ref,
    subdir: cleanSubdir(directory),
    checksum: '',
    looksLocal: place.looksLocal,
    unencrypted: place.unencrypted,
    fetchByCommit: false,
  };
  return withQuery(url, place.query);
}

/** A directory within the tree: `.` and `..` resolved, never above the root, no `/` around it. */
export const cleanSubdir = (text: string): string => posix.resolve('/', text).slice(1);

/** Whether this is the full name of a commit: sha1 or sha256. */
export const isCommit = (text: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

interface Place {
  readonly remote: string;
  readonly fragment: string;
  readonly query: readonly (readonly [string, string])[];
  readonly looksLocal: boolean;
  readonly unencrypted: boolean;
}

function ofGitHub(text: string): Place | undefined {
  const parts = splitUrl(text);
  if (!parts) return undefined;
  return { remote: parts.bare, fragment: parts.fragment, query: parseQuery(parts.query).pairs, looksLocal: true, unencrypted: false };
}

function ofUrl(text: string): Place | undefined {
  const scheme = /^([a-zA-Z0-9]+):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || !['http', 'https', 'ssh', 'git'].includes(scheme)) return undefined;
  const parts = splitUrl(text);
  // Over http only the name tells a repository from a file.
  if (!parts || (scheme.startsWith('http') && !parts.path.endsWith('.git'))) return undefined;
  return {
    remote: parts.bare,
    fragment: parts.fragment,
    query: parseQuery(parts.query).pairs,
    looksLocal: false,
    unencrypted: scheme === 'http' || scheme === 'git',
  };
}

/** `user@host:path`, as ssh and scp write it. */
function ofHost(text: string): Place | undefined {
  if (/^[a-zA-Z0-9]+:\/\//.test(text)) return undefined;
  const [, user, host, path = '', query = '', fragment = ''] =
    /^([a-zA-Z0-9\-_]+)@([a-zA-Z0-9\-.]+):([^\n?#]*)(?:\?([^\n#]*))?(?:#([^\n]*))?$/.exec(text) ?? [];
  const { pairs, damaged } = parseQuery(query);
  if (user === undefined || damaged) return undefined;
  return { remote: `${user}@${host}:${path}`, fragment, query: pairs, looksLocal: false, unencrypted: false };
}

type Draft = { -readonly [Key in keyof GitUrl]: GitUrl[Key] } & { tag?: string; branch?: string };

/** Options whose value may be left out: that means yes. */
const switches = ['keep-git-dir', 'submodules', 'fetch-by-commit'];

function withQuery(url: GitUrl, query: Place['query']): ParsedGitUrl {
  const draft: Draft = { ...url };
  const names = query.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return { problem: `"${twice}" stands more than once` };
  for (const [name, value] of query) {
    const read = readers.get(name);
    if (value === '' && !switches.includes(name)) return { problem: `"${name}" has no value` };
    if (!read) return { problem: `there is no option "${name}"` };
    const problem = read(draft, value);
    if (problem !== undefined) return { problem };
  }
  const problem = qualifyRef(draft);
  const { tag: _tag, branch: _branch, ...rest } = draft;
  return problem === undefined ? { url: rest } : { problem };
}

type Reader = (draft: Draft, value: string) => string | undefined;

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['ref', (draft, value) => settle(draft, 'ref', value)],
  ['tag', (draft, value) => set(draft, { tag: value })],
  ['branch', (draft, value) => set(draft, { branch: value })],
  ['subdir', (draft, value) => settle(draft, 'subdir', value)],
  ['checksum', (draft, value) => setChecksum(draft, value)],
  ['commit', (draft, value) => setChecksum(draft, value)],
  ['keep-git-dir', (draft, value) => setSwitch(draft, 'keepGitDir', value)],
  ['submodules', (draft, value) => setSwitch(draft, 'submodules', value)],
  ['fetch-by-commit', (draft, value) => setSwitch(draft, 'fetchByCommit', value)],
  ['mtime', setMtime],
]);

function set(draft: Draft, values: Partial<Draft>): undefined {
  Object.assign(draft, values);
}

function setMtime(draft: Draft, value: string): string | undefined {
  if (value !== 'checkout' && value !== 'commit') return `"mtime" is "checkout" or "commit", not "${value}"`;
  return set(draft, { mtime: value });
}

function settle(draft: Draft, name: 'ref' | 'subdir', value: string): string | undefined {
  if (draft[name] !== '' && draft[name] !== value) return `"${name}" is both "${draft[name]}" and "${value}"`;
  draft[name] = value;
  return undefined;
}

/** Two names for one thing: BuildKit takes either of two that differ, by chance, which no build should depend on. */
function setChecksum(draft: Draft, value: string): string | undefined {
  if (draft.checksum !== '' && draft.checksum !== value) return `"checksum" and "commit" are "${draft.checksum}" and "${value}"`;
  draft.checksum = value;
  return undefined;
}

/** Source: Go, strconv.ParseBool. */
function setSwitch(draft: Draft, name: 'keepGitDir' | 'submodules' | 'fetchByCommit', value: string): string | undefined {
  if (/^(?:|1|t|T|true|TRUE|True)$/.test(value)) return set(draft, { [name]: true });
  if (/^(?:0|f|F|false|FALSE|False)$/.test(value)) return set(draft, { [name]: false });
  return `a switch is true or false, not "${value}"`;
}

function qualifyRef(draft: Draft): string | undefined {
  const { tag, branch } = draft;
  if (tag !== undefined && branch !== undefined) {
    return conflict(draft.ref, qualified('refs/tags/', tag)) ?? '"branch" and "tag" cannot stand together';
  }
  const ref = tag !== undefined ? qualified('refs/tags/', tag) : branch !== undefined ? qualified('refs/heads/', branch) : undefined;
  if (ref === undefined) return undefined;
  const problem = conflict(draft.ref, ref);
  draft.ref = ref;
  return problem;
}

const qualified = (prefix: string, name: string): string => (name.startsWith(prefix) ? name : prefix + name);

const conflict = (one: string, other: string): string | undefined =>
  one !== '' && one !== other ? `"ref" is both "${one}" and "${other}"` : undefined;
