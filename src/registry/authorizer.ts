import { BuildError } from '../diagnostics/build-error.ts';
import { type Challenge, parseChallenge } from './challenge.ts';
import type { CredentialSource, Credentials } from './credentials.ts';
import { loginHint } from './errors.ts';
import { fetchToken, type Token } from './token.ts';
import type { HttpRequest, HttpResponse } from './transport.ts';

export interface AuthorizerOptions {
  readonly credentials: CredentialSource;
  /** Sends a request to a token server, with retries. */
  readonly send: (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse>;
}

/** Who asks, and what for. */
export interface Access {
  readonly registry: string;
  /** Of the registry: what it may be told depends on whether the line is safe. */
  readonly endpoint: URL;
  /** `repository:a/b:pull`, … */
  readonly scopes: readonly string[];
}

/** Makes `Authorization` headers: remembers what each registry asks for, and the tokens it gave. */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #challenges = new Map<string, Challenge>();
  /** By registry and scopes. Promises, so that requests side by side share one. */
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The header to begin with: undefined until the registry has asked. */
  async header(access: Access, signal: AbortSignal): Promise<string | undefined> {
    const challenge = this.#challenges.get(access.registry);
    return challenge && this.#answer(challenge, access, signal);
  }

  /**
   * The header after a 401: `asked` is its WWW-Authenticate, `refused` the header that was sent. Throws REGISTRY_AUTH where there is
   * nothing new to say.
   */
  async renewed(
    access: Access,
    { asked, refused }: { asked: string | undefined; refused: string | undefined },
    signal: AbortSignal,
  ): Promise<string> {
    const challenge = parseChallenge(asked ?? '');
    if (!challenge) {
      throw new BuildError('REGISTRY_AUTH', `registry "${access.registry}" refuses, and asks for no credentials that cooper knows`, {
        hint: loginHint(access.registry),
      });
    }
    this.#challenges.set(access.registry, challenge);
    const known = await this.#tokens.get(keyOf(access))?.catch(() => undefined); // Its own user has seen that error.
    if (known && `Bearer ${known.value}` === refused) this.#tokens.delete(keyOf(access));
    const header = await this.#answer(challenge, access, signal);
    if (header === undefined) {
      throw new BuildError('REGISTRY_AUTH', `registry "${access.registry}" asks for credentials, and there are none`, {
        hint: loginHint(access.registry),
      });
    }
    if (header === refused) {
      throw new BuildError('REGISTRY_AUTH', `registry "${access.registry}" refuses these credentials`, {
        hint: loginHint(access.registry),
      });
    }
    return header;
  }

  async #answer(challenge: Challenge, access: Access, signal: AbortSignal): Promise<string | undefined> {
    if (challenge.scheme === 'basic') return basic(await this.#credentials(access, signal));
    const key = keyOf(access);
    const known = await this.#tokens.get(key)?.catch(() => undefined);
    if (known && known.expires > Date.now()) return `Bearer ${known.value}`;
    if (known) this.#tokens.delete(key);
    const token = this.#tokens.get(key) ?? this.#fetch(challenge, access, signal);
    this.#tokens.set(key, token);
    try {
      return `Bearer ${(await token).value}`;
    } catch (error) {
      if (this.#tokens.get(key) === token) this.#tokens.delete(key);
      throw error;
    }
  }

  async #fetch(challenge: Challenge & { scheme: 'bearer' }, access: Access, signal: AbortSignal): Promise<Token> {
    const credentials = await this.#credentials(access, signal);
    if (credentials?.kind === 'bearer') return { value: credentials.token, expires: Number.POSITIVE_INFINITY };
    const scopes = [...new Set([...access.scopes, ...challenge.scopes])];
    return fetchToken(challenge, { ...access, scopes, credentials, send: this.#options.send }, signal);
  }

  #credentials({ registry }: Access, signal: AbortSignal): Promise<Credentials | undefined> {
    return this.#options.credentials.get(registry, signal);
  }
}

const keyOf = ({ registry, scopes }: Access): string => `${registry} ${scopes.join(' ')}`;

function basic(credentials: Credentials | undefined): string | undefined {
  if (credentials?.kind !== 'password') return undefined;
  return basicHeader(credentials.username, credentials.password);
}

/** Source: RFC 7617. */
export function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
