import pLimit from 'p-limit';
import type { Access } from '../context/git-access.ts';
import type { GitSpec, HttpSpec } from '../graph/spec.ts';
import { defaultTimeouts, type Timeouts, Transport } from '../registry/transport.ts';
import type { Field } from '../solve/key.ts';
import type { FetchedFolders } from '../store/fetched-folders.ts';

/** One remote source of a build. */
export interface RemoteSource {
  /** What its files are known by: asks the remote, and fetches only where there is no other way to know. */
  key(signal: AbortSignal): Promise<Field>;
  /** The directory with its files, absolute; fetched when it is asked for. It belongs to the store: nobody writes to it. */
  directory(signal: AbortSignal): Promise<string>;
}

/** Says when a fetch runs, and until when. */
export type RunFetch = <T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal) => Promise<T>;

/** At most so many at once, of all remotes together. */
const maxFetches = 8;

/** What a build fetches by http and git, each source once. */
export class RemoteSources implements AsyncDisposable {
  readonly #folders: FetchedFolders;
  readonly #access: Access;
  readonly #transport: Transport;
  readonly #limit = pLimit(maxFetches);
  readonly #sources = new Map<string, RemoteSource>();
  readonly #end = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  constructor(folders: FetchedFolders, access: Access, timeouts: Timeouts = defaultTimeouts) {
    this.#folders = folders;
    this.#access = access;
    this.#transport = new Transport(access.environment, timeouts);
  }

  source(spec: HttpSpec | GitSpec): RemoteSource {
    const name = JSON.stringify(spec);
    const known = this.#sources.get(name);
    if (known) return known;
    let opened: Promise<RemoteSource> | undefined;
    const open = () => (opened ??= this.#open(spec));
    const made: RemoteSource = {
      key: async (signal) => (await open()).key(signal),
      directory: async (signal) => (await open()).directory(signal),
    };
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

  /** What fetches is loaded only here: most builds have no remote sources. */
  async #open(spec: HttpSpec | GitSpec): Promise<RemoteSource> {
    const run: RunFetch = (work, signal) => this.#run(work, signal);
    if (spec.kind === 'git') return (await import('./git-files.ts')).gitFiles(spec, this.#folders, this.#access, run);
    const { HttpFiles } = await import('./http-files.ts');
    return new HttpFiles(this.#folders, { transport: this.#transport, secret: this.#access.secret }).source(spec, run);
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
}
