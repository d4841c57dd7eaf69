import { BuildError } from '../diagnostics/build-error.ts';
import { type Access, Authorizer } from './authorizer.ts';
import { type CredentialSource, DockerCredentials } from './credentials.ts';
import { baseURL, isLoopback, speaksNoTLS } from './endpoint.ts';
import { unreachable } from './errors.ts';
import { defaultRetry, type RetryOptions, retrying } from './retry.ts';
import { defaultTimeouts, type Environment, type HttpRequest, type HttpResponse, type Timeouts, Transport } from './transport.ts';

export interface SessionOptions {
  readonly environment: Environment;
  /** Default: Docker's config.json. */
  readonly credentials?: CredentialSource;
  readonly retry?: RetryOptions;
  readonly timeouts?: Timeouts;
}

/** One request to a registry. */
export interface RegistryRequest {
  readonly registry: string;
  /** `repository:a/b:pull`, … */
  readonly scopes: readonly string[];
  readonly method: HttpRequest['method'];
  /** Below `/v2/`, or a URL that the registry gave. */
  readonly target: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes can be sent again; a stream is sent once, without a retry. */
  readonly body?: HttpRequest['body'];
}

/** What was asked in the end, after redirects: for messages. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
}

const maxRedirects = 5;

/**
 * Talks to registries: finds out how each is reached, authorizes, retries, follows redirects. Credentials of a registry go to its own
 * origin, and to the token server that it names; never across a redirect.
 */
export class Session {
  readonly retry: RetryOptions;
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;
  readonly #endpoints = new Map<string, Promise<URL>>();

  constructor({ environment, credentials, retry = defaultRetry, timeouts = defaultTimeouts }: SessionOptions) {
    this.retry = retry;
    this.#transport = new Transport(environment, timeouts);
    this.#authorizer = new Authorizer({
      credentials: credentials ?? new DockerCredentials(environment),
      send: (request, signal) => this.#sendReachable('token server', request, signal),
    });
  }

  /** Gives any answer but 401. Throws REGISTRY_UNREACHABLE or REGISTRY_AUTH. */
  async request(asked: RegistryRequest, signal: AbortSignal): Promise<Exchange> {
    const endpoint = await this.#endpoint(asked.registry, signal);
    const url = typeof asked.target === 'string' ? new URL(asked.target, endpoint) : asked.target;
    const request: HttpRequest = {
      method: asked.method,
      url,
      headers: asked.headers ?? {},
      ...(asked.body !== undefined && { body: asked.body }),
    };
    // A place to upload to may be on another host, which has its own key in the URL.
    if (url.origin !== endpoint.origin) return { request, response: await this.#sendReachable(asked.registry, request, signal) };
    const exchange = await this.#authorized({ registry: asked.registry, endpoint, scopes: asked.scopes }, request, signal);
    return isRedirect(exchange) ? this.#follow(asked.registry, exchange, signal) : exchange;
  }

  /** Ends idle connections. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #authorized(access: Access, request: HttpRequest, signal: AbortSignal): Promise<Exchange> {
    const send = (header: string | undefined) => {
      const headers = { ...request.headers, ...(header !== undefined && { authorization: header }) };
      return this.#sendReachable(access.registry, { ...request, headers }, signal);
    };
    let header = await this.#authorizer.header(access, signal);
    // Twice: a token may have run out, and its successor may have been fetched for the old one's sake by a request beside this one.
    for (let attempt = 1; ; attempt++) {
      const response = await send(header);
      if (response.status !== 401 || attempt > 2) return { request, response };
      const asked = response.header('www-authenticate');
      await response.discard();
      header = await this.#authorizer.renewed(access, { asked, refused: header }, signal);
      if (!isRepeatable(request))
        throw new BuildError('REGISTRY_AUTH', `registry "${access.registry}" refuses an upload that it had begun`);
    }
  }

  async #follow(registry: string, first: Exchange, signal: AbortSignal): Promise<Exchange> {
    let exchange = first;
    for (let redirects = 0; isRedirect(exchange); redirects++) {
      const location = locationIn(exchange);
      await exchange.response.discard();
      if (redirects >= maxRedirects || !location) {
        throw new BuildError('REGISTRY_FAILED', `registry "${registry}" redirects to nowhere`, { hint: 'tell who runs the registry' });
      }
      // The request has no Authorization here: what the registry was shown is added on the way to the registry alone.
      const request = { ...exchange.request, url: location };
      exchange = { request, response: await this.#sendReachable(registry, request, signal) };
    }
    return exchange;
  }

  async #sendReachable(registry: string, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const send = () => this.#transport.send(request, signal);
    try {
      return await (isRepeatable(request) ? retrying(send, this.retry, signal) : send());
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof BuildError ? error : unreachable(registry, request, error);
    }
  }

  #endpoint(registry: string, signal: AbortSignal): Promise<URL> {
    const known = this.#endpoints.get(registry);
    if (known) return known;
    const found = this.#probe(registry, signal);
    this.#endpoints.set(registry, found);
    found.catch(() => this.#endpoints.delete(registry)); // Whoever waits for it gets the error; the next one tries again.
    return found;
  }

  /** https, but for a registry on this machine that speaks no TLS. Asked without credentials. */
  async #probe(registry: string, signal: AbortSignal): Promise<URL> {
    const secure = baseURL('https', registry);
    if (!isLoopback(secure.hostname)) return secure;
    try {
      const response = await this.#transport.send({ method: 'GET', url: secure }, signal);
      await response.discard();
      return secure;
    } catch (error) {
      signal.throwIfAborted();
      if (speaksNoTLS(error)) return baseURL('http', registry);
      throw unreachable(registry, { method: 'GET', url: secure }, error);
    }
  }
}

/** Where an answer sends us; undefined when it does not say, or to something that is no web address. */
export function locationIn({ request, response }: Exchange): URL | undefined {
  const location = URL.parse(response.header('location') || 'none:', request.url.href);
  return location && /^https?:$/.test(location.protocol) ? location : undefined;
}

const isRepeatable = ({ body }: HttpRequest): boolean => body === undefined || typeof body === 'string' || body instanceof Uint8Array;

function isRedirect({ request, response }: Exchange): boolean {
  return [301, 302, 303, 307, 308].includes(response.status) && (request.method === 'GET' || request.method === 'HEAD');
}
