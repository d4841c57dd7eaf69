import { BuildError } from '../diagnostics/build-error.ts';
import { type Access, type AuthorizerOptions, basicHeader } from './authorizer.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { isLoopback } from './endpoint.ts';
import { loginHint, refused } from './errors.ts';
import type { HttpRequest } from './transport.ts';

/** A bearer token of a registry. */
export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export interface TokenRequest extends Access {
  /** Undefined: as nobody, which is enough to pull what is public. */
  readonly credentials: Exclude<Credentials, { kind: 'bearer' }> | undefined;
  readonly send: AuthorizerOptions['send'];
}

/**
 * Asks the token server that the registry names. Throws REGISTRY_AUTH.
 * Source: distribution, "Token Authentication Specification" (GET) and "Oauth2 Token Authentication" (POST, for refresh tokens).
 */
export async function fetchToken(challenge: Challenge & { scheme: 'bearer' }, asked: TokenRequest, signal: AbortSignal): Promise<Token> {
  const realm = realmOf(challenge.realm, asked);
  const request =
    asked.credentials?.kind === 'identity' ? post(realm, challenge, asked, asked.credentials.token) : get(realm, challenge, asked);
  const response = await asked.send(request, signal);
  if (response.status !== 200) throw await refused(asked.registry, request, response);
  return parseToken(await response.text(1024 * 1024), asked.registry);
}

/** The registry chooses who sees its users' credentials, but they leave this machine by TLS only, and stay on it by less only where the registry has none. */
function realmOf(realm: string, { registry, endpoint }: Access): URL {
  const url = URL.parse(realm);
  if (url?.protocol === 'https:') return url;
  if (url?.protocol === 'http:' && endpoint.protocol === 'http:' && isLoopback(url.hostname)) return url;
  throw new BuildError('REGISTRY_AUTH', `registry "${registry}" names a token server that cannot be trusted: "${realm.slice(0, 200)}"`, {
    hint: 'a token server has an https URL, but for one on this machine of a registry on this machine; tell who runs the registry',
  });
}

function get(realm: URL, { service }: { service?: string }, { scopes, credentials }: TokenRequest): HttpRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials?.kind !== 'password') return { method: 'GET', url };
  url.searchParams.set('account', credentials.username);
  return { method: 'GET', url, headers: { authorization: basicHeader(credentials.username, credentials.password) } };
}

function post(url: URL, { service }: { service?: string }, { scopes }: TokenRequest, refreshToken: string): HttpRequest {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'cooper', refresh_token: refreshToken });
  if (service !== undefined) form.set('service', service);
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  return { method: 'POST', url, headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: form.toString() };
}

function parseToken(text: string, registry: string): Token {
  const answer = parse(text);
  const value = answer?.token || answer?.access_token;
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw new BuildError('REGISTRY_AUTH', `the token server of registry "${registry}" gave no token`, { hint: loginHint(registry) });
  }
  // 60 s where it does not say; some seconds less, since the token is on its way for a while.
  const seconds = typeof answer?.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : 60;
  return { value, expires: Date.now() + Math.max(seconds - 5, 1) * 1000 };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // The caller says that there is no token in it.
  }
}
