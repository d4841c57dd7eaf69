import pLimit from 'p-limit';
import { type Access, gitSetting, redactUrl } from '../context/git-access.ts';
import { checkOut } from '../context/git-checkout.ts';
import { type ResolvedGit, resolveGit } from '../context/git-resolve.ts';
import type { GitSpec, HttpSpec } from '../graph/spec.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { defaultTimeouts, type Timeouts, Transport } from '../registry/transport.ts';
import { type Field, field } from '../solve/key.ts';
import type { FetchedFolders } from '../store/fetched-folders.ts';
import { HttpFiles } from './http-files.ts';
import { once } from './once.ts';

/** One remote source of a build. */
export interface RemoteSource {
  /** What its files are known by: asks the remote, and fetches only where there is no other way to know. */
  key(signal: AbortSignal): Promise<Field>;
  /** The directory with its files, absolute; fetched when it is asked for. It belongs to the store: nobody writes to it. */
  directory(signal: AbortSignal): Promise<string>;
}

/** At most so many at once, of all remotes together. */
const maxFetches = 8;

/** What a build fetches by http and git, each source once. */
export class RemoteSources implements AsyncDisposable {
  readonly #folders: FetchedFolders;
  readonly #access: Access;
  readonly #transport: Transport;
  readonly #files: HttpFiles;
  readonly #limit = pLimit(maxFetches);
  readonly #sources = new Map<string, RemoteSource>();
  readonly #end = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(folders: FetchedFolders, access: Access, timeouts: Timeouts = defaultTimeouts) {
    this.#folders = folders;
    this.#access = access;
    this.#transport = new Transport(access.environment, timeouts);
    this.#files = new HttpFiles(folders, { transport: this.#transport, secret: access.secret });
  }

  source(spec: HttpSpec | GitSpec): RemoteSource {
    const name = JSON.stringify(spec);
    const known = this.#sources.get(name);
    if (known) return known;
    const made = spec.kind === 'http' ? this.#files.source(spec, (work, signal) => this.#run(work, signal)) : this.#git(spec);
    this.#sources.set(name, made);
    return made;
  }

  /**
   * Waits for fetches that nobody waits for any more (another step has failed, or the plan): they work in a folder of the store's lease, which
   * ends next. Then ends idle connections, which would keep the process alive for some seconds.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await Promise.allSettled(this.#running);
    await this.#transport.close();
  }

  #git(spec: GitSpec): RemoteSource {
    const resolved = once((signal) => this.#run((stop) => this.#resolve(spec, stop), signal));
    const directory = once(async (signal) => {
      const found = await resolved(signal);
      const name = digestOf(JSON.stringify(gitIdentity(spec, found)));
      const there = await this.#folders.find('git', name);
      return there ?? this.#run((stop) => this.#checkOut(spec, found, name, stop), signal);
    });
    return { key: async (signal) => field('git', gitKey(spec, await resolved(signal))), directory };
  }

  async #run<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const running = this.#limit(() => work(AbortSignal.any([signal, this.#end.signal])));
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #resolve(spec: GitSpec, signal: AbortSignal): Promise<ResolvedGit> {
    await using setting = await gitSetting(spec.remote, this.#access);
    return await resolveGit(spec, setting, signal);
  }

  async #checkOut(spec: GitSpec, resolved: ResolvedGit, name: Digest, signal: AbortSignal): Promise<string> {
    await using temporary = await this.#folders.temporary();
    await using setting = await gitSetting(spec.remote, this.#access);
    const made = await checkOut(spec, resolved, temporary.path, setting, signal);
    return await this.#folders.keep('git', name, temporary, made);
  }
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
