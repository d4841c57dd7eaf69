import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { isLoopback } from './endpoint.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | Readable | string;
}

/** The head of an answer. Whoever gets one reads the body, or calls `discard`: an unread body keeps its connection. */
export interface HttpResponse {
  readonly status: number;
  /** Undefined for a header that is not there; several of one name are joined by a comma. */
  header(name: string): string | undefined;
  readonly body: Readable;
  /** The body's first bytes as text, at most `limit` of them. */
  text(limit: number): Promise<string>;
  discard(): Promise<void>;
}

export interface Timeouts {
  /** For a connection, TLS included. */
  readonly connectMs: number;
  /** For the head of an answer, after the last byte of the request: a registry may have to move a big blob first. */
  readonly headMs: number;
  /** Between two pieces of a body. */
  readonly idleMs: number;
}

export const defaultTimeouts: Timeouts = { connectMs: 10_000, headMs: 120_000, idleMs: 60_000 };

/** Environment that counts: proxy variables, HOME and DOCKER_CONFIG; PATH for credential helpers. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Sends one HTTP request: no retry, no redirect, no credentials of its own. undici is loaded when the first one is sent. */
export class Transport {
  readonly #environment: Environment;
  readonly #timeouts: Timeouts;
  #loaded: Promise<Loaded> | undefined;

  constructor(environment: Environment, timeouts: Timeouts) {
    this.#environment = environment;
    this.#timeouts = timeouts;
  }

  /** Fails with undici's or the system's error, or the signal's reason. */
  async send({ method, url, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    signal.throwIfAborted();
    const { request, direct, proxied } = await this.#load();
    const answer = await request(url, {
      method,
      headers: { 'user-agent': 'cooper', ...headers },
      body: body ?? null,
      signal,
      // Nobody means a proxy to be asked for this machine.
      dispatcher: isLoopback(url.hostname) ? direct : proxied,
    });
    return new Answer(answer);
  }

  /** Ends idle connections, which would keep the process alive for some seconds. */
  async close(): Promise<void> {
    const loaded = await this.#loaded;
    await Promise.all([loaded?.direct.destroy(), loaded?.proxied.destroy()]);
  }

  #load(): Promise<Loaded> {
    this.#loaded ??= this.#start();
    return this.#loaded;
  }

  async #start(): Promise<Loaded> {
    const { Agent, EnvHttpProxyAgent, request } = await import('./undici.ts');
    const { connectMs, headMs, idleMs } = this.#timeouts;
    const options = { connect: { timeout: connectMs }, headersTimeout: headMs, bodyTimeout: idleMs };
    const value = (name: string) => this.#environment[name.toLowerCase()] ?? this.#environment[name] ?? '';
    const proxies = { httpProxy: value('HTTP_PROXY'), httpsProxy: value('HTTPS_PROXY'), noProxy: value('NO_PROXY') };
    return { request, direct: new Agent(options), proxied: new EnvHttpProxyAgent({ ...options, ...proxies }) };
  }
}

interface Loaded {
  readonly request: typeof import('undici').request;
  readonly direct: Dispatcher;
  readonly proxied: Dispatcher;
}

class Answer implements HttpResponse {
  readonly status: number;
  readonly body: Dispatcher.ResponseData['body'];
  readonly #headers: Dispatcher.ResponseData['headers'];

  constructor({ statusCode, headers, body }: Dispatcher.ResponseData) {
    this.status = statusCode;
    this.body = body;
    this.#headers = headers;
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  async text(limit: number): Promise<string> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= limit) break; // Which destroys the body, and the connection with it.
    }
    return Buffer.concat(chunks).subarray(0, limit).toString();
  }

  async discard(): Promise<void> {
    await this.body.dump({ limit: 64 * 1024 });
  }
}
