import { BuildError } from '../diagnostics/build-error.ts';
import type { HttpResponse, Transport } from '../registry/transport.ts';
import { redactUrl, secretText } from './git-access.ts';
import { unreachable } from './http-error.ts';
import { splitUrl } from './url-parts.ts';

/** How files are fetched. */
export interface HttpAccess {
  readonly transport: Transport;
  readonly secret: (id: string) => Uint8Array | undefined;
}

const maxRedirects = 10;

/**
 * Sends a request and follows redirects. Credentials go to the origin of the URL alone: what it leads to elsewhere gets none, and none on the
 * way back. Throws URL_FAILED where no answer comes.
 */
export async function requestFile(
  { transport, secret }: HttpAccess,
  method: 'GET' | 'HEAD',
  text: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<HttpResponse> {
  let url = parseUrl(text);
  let authorization = authorizationFor(url, secret);
  for (let count = 0; count <= maxRedirects; count += 1) {
    const sent = bare(url);
    const response = await transport
      .send({ method, url: sent, headers: { ...headers, ...(authorization !== undefined && { authorization }) } }, signal)
      .catch((error) => {
        signal.throwIfAborted();
        throw unreachable(text, sent, error);
      });
    const location = [301, 302, 303, 307, 308].includes(response.status) ? response.header('location') : undefined;
    if (location === undefined) return response;
    await response.discard();
    const next = nextUrl(text, location, url);
    if (next.origin !== url.origin) authorization = undefined;
    url = next;
  }
  throw new BuildError('URL_FAILED', `"${redactUrl(text)}" leads in circles: more than ${maxRedirects} redirects`, {
    hint: 'check the URL with curl -L',
  });
}

/** Source: BuildKit 0.32, source/http, `newHTTPRequest`: a token counts before a header, both before what stands in the URL. */
function authorizationFor(url: URL, secret: HttpAccess['secret']): string | undefined {
  // Secrets name an IPv6 host without brackets, as Go's URL.Hostname does.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const token = secretText(`HTTP_AUTH_TOKEN_${host}`, secret);
  if (token !== undefined) return `Bearer ${token}`;
  const header = secretText(`HTTP_AUTH_HEADER_${host}`, secret);
  if (header !== undefined) return header;
  if (url.username === '' && url.password === '') return undefined;
  return `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64')}`;
}

/** Without user and fragment. */
function bare(url: URL): URL {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  copy.hash = '';
  return copy;
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  // WHATWG's rules find a host in nearly everything: `http:///x`. What has none by Go's rules has none here.
  if (url && splitUrl(text)?.host && /^https?:$/.test(url.protocol) && isDecodable(url)) return url;
  throw new BuildError('URL_FAILED', `"${redactUrl(text)}" is no URL of a file`, { hint: 'a URL is like https://host/path/file' });
}

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username);
    decodeURIComponent(password);
    return true;
  } catch {
    return false;
  }
}

function nextUrl(text: string, location: string, from: URL): URL {
  const next = URL.parse(location, bare(from).href);
  if (next && /^https?:$/.test(next.protocol)) return bare(next);
  throw new BuildError('URL_FAILED', `"${redactUrl(text)}" leads to "${printableUrl(location)}", which is no http or https URL`, {
    hint: 'the server is not set up right, or not to be trusted',
  });
}

const printableUrl = (text: string): string => redactUrl(text.replace(/[^\x21-\x7e]/g, '?').slice(0, 200));
