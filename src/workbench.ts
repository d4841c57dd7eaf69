import type { BuildOptions } from './build-options.ts';
import type { Access } from './context/git-access.ts';
import { readSecrets } from './context/secrets.ts';
import { LayerProvider } from './execute/layer-provider.ts';
import { RemoteSources } from './execute/remote-sources.ts';
import { giveSecrets } from './give-secrets.ts';
import { proxyEnv } from './plan/proxy-env.ts';
import { SecretGuard } from './secret/guard.ts';
import { openSession, type Session } from './session.ts';

/** What a build works with besides the Dockerfile. */
export interface Tools extends Session {
  readonly layers: LayerProvider;
  readonly remote: RemoteSources;
  /** By id. */
  readonly secrets: ReadonlyMap<string, Buffer>;
}

type Needed = Pick<BuildOptions, 'root' | 'secrets' | 'environment' | 'buildArgs' | 'ssh' | 'userns'>;

/** The tools of one build, laid out when something first asks for them. Disposing of it puts them away. */
export class Workbench implements AsyncDisposable {
  readonly #options: Needed;
  readonly #guard: SecretGuard;
  readonly #signal: AbortSignal;
  readonly #cleanup = new AsyncDisposableStack();
  #tools: Promise<Tools> | undefined;

  /** `guard` is told of the secrets before anything can be done with them. */
  constructor(options: Needed, signal: AbortSignal, guard = new SecretGuard()) {
    this.#options = options;
    this.#guard = guard;
    this.#signal = signal;
  }

  /** Throws SECRET_MISSING, STORE_FAILED, WORKER_FAILED. */
  tools(): Promise<Tools> {
    this.#tools ??= this.#open();
    // Who began it early hears of a failure when he needs them.
    this.#tools.catch(() => {});
    return this.#tools;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tools?.catch(() => undefined);
    await this.#cleanup.disposeAsync();
  }

  async #open(): Promise<Tools> {
    const { root, environment = {}, userns } = this.#options;
    const session = this.#cleanup.use(await openSession(root, this.#signal, { environment, userns }));
    const secrets = await readSecrets(this.#options.secrets ?? []);
    const { worker, store } = session;
    // Not searched for yet: a context that is unpacked into a layer may hold the very file.
    this.#guard.know(await giveSecrets(secrets, this.#options.secrets ?? [], worker, { scan: false }, this.#signal));
    const remote = this.#cleanup.use(new RemoteSources(store.fetched, accessOf(this.#options, secrets)));
    const layers = new LayerProvider(store, worker);
    return { worker, store, secrets, remote, layers, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
  }
}

/** What fetching may use: proxies as the steps of the build have them, and secrets by their names. */
function accessOf({ environment = {}, buildArgs = {}, ssh = [] }: Needed, secrets: ReadonlyMap<string, Buffer>): Access {
  const proxies = proxyEnv(new Map(Object.entries(buildArgs)), environment).map((pair) => pair.split(/=(.*)/s, 2) as [string, string]);
  return {
    environment: { ...environment, ...Object.fromEntries(proxies) },
    secret: (id) => secrets.get(id),
    async agent(id) {
      const options = ssh.filter((option) => option.id === id);
      if (options.length === 0) return undefined;
      return (await (await import('./ssh/sources.ts')).openAgents(options)).get(id);
    },
  };
}
