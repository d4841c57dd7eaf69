import { BuildError } from '../diagnostics/build-error.ts';
import type { HttpRequest, HttpResponse } from './transport.ts';

/** No answer came. `registry` is the one that was meant, which may not be the host that failed. */
export function unreachable(registry: string, { method, url }: Pick<HttpRequest, 'method' | 'url'>, cause: unknown): BuildError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = cause instanceof Error ? reasonOf(cause) : String(cause);
  return new BuildError('REGISTRY_UNREACHABLE', `no connection to registry "${registry}": ${why} (${requestLine(method, url)})`, {
    cause,
    hint: hintFor(code, url),
  });
}

/** The registry answered, and not what was asked for. Reads the body. */
export async function refused(
  registry: string,
  { method, url }: Pick<HttpRequest, 'method' | 'url'>,
  response: HttpResponse,
): Promise<BuildError> {
  const { code, message } = await detailOf(response);
  const detail = [code, message].filter((text) => text !== '').join(': ');
  const said = `registry "${registry}" answered ${response.status}${detail === '' ? '' : ` (${detail})`} to ${requestLine(method, url)}`;
  if (response.status === 401 || response.status === 403) return new BuildError('REGISTRY_AUTH', said, { hint: loginHint(registry) });
  return new BuildError('REGISTRY_FAILED', said, { hint: statusHint(response.status) });
}

/** How to give credentials: cooper reads Docker's. */
export function loginHint(registry: string): string {
  return `check the name, and the credentials for "${registry}" in Docker's config.json ("docker login ${registry}" writes them)`;
}

/** Without the query: it may carry a signature or a token. URLs of ours have no user. */
function requestLine(method: string, url: URL): string {
  return `${method} ${url.protocol}//${url.host}${url.pathname}`;
}

/** A resolver's or a socket's error may stand for several tries (IPv4 and IPv6). */
function reasonOf(error: Error): string {
  const inner = error instanceof AggregateError ? error.errors.find((one) => one instanceof Error) : undefined;
  return (inner ?? error).message || ('code' in error ? String(error.code) : error.name);
}

function hintFor(code: string, url: URL): string {
  if (code === 'ECONNREFUSED') return `nothing listens on "${url.host}": is the registry running, and is the port right?`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `"${url.hostname}" has no address: check the name and the network`;
  if (/CERT|SIGNED|VERIFY_LEAF/.test(code)) return 'its certificate is not trusted here: name its authority in NODE_EXTRA_CA_CERTS';
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return 'it does not speak TLS; plain HTTP is used on loopback addresses only';
  return 'check the network, and proxy variables such as HTTPS_PROXY';
}

function statusHint(status: number): string {
  if (status === 429) return 'it limits how often one may ask: wait, or log in';
  if (status >= 500) return 'the fault is on its side: try again later, or look into its log';
  if (status === 404) return 'check the name of the repository';
  return 'the registry may not allow this, or not know it';
}

/** Source: OCI distribution-spec 1.1, "Error Codes". What is no such answer is shown as it is, cut off. */
async function detailOf(response: HttpResponse): Promise<{ code: string; message: string }> {
  const text = await response.text(16 * 1024).catch(() => ''); // An answer that breaks off still has its status.
  try {
    const [first] = (JSON.parse(text) as { errors: { code?: unknown; message?: unknown }[] }).errors;
    return { code: printable(first?.code), message: printable(first?.message) };
  } catch {
    return { code: '', message: printable(text) };
  }
}

/** A server's words, made safe for a terminal. */
function printable(text: unknown): string {
  return typeof text === 'string'
    ? text
        .replace(/[^\x20-\x7e\u00a0-\u{10ffff}]+/gu, ' ')
        .trim()
        .slice(0, 200)
    : '';
}
