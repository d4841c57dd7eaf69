import { STATUS_CODES } from 'node:http';
import { BuildError } from '../diagnostics/build-error.ts';
import type { HttpResponse } from '../registry/transport.ts';
import { redactUrl } from './git-access.ts';

/** No answer came, or it broke off. `url` is the one that was asked: a redirect may have led to it. */
export function unreachable(text: string, url: URL, cause: unknown): BuildError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const inner = cause instanceof AggregateError ? cause.errors.find((one) => one instanceof Error) : cause;
  const why = timeouts[code] ?? (inner instanceof Error && inner.message !== '' ? inner.message : code || String(cause));
  const from = url.href === URL.parse(text)?.href ? '' : ` (from "${url.origin}")`;
  return new BuildError('URL_FAILED', `cannot fetch "${redactUrl(text)}"${from}: ${why}`, { cause, hint: hintFor(code, url) });
}

/** An answer came that is not the file. */
export async function refusedFile(text: string, response: HttpResponse): Promise<BuildError> {
  const { status } = response;
  await response.discard().catch(() => {}); // Its status is all that is wanted of it.
  const name = STATUS_CODES[status];
  return new BuildError('URL_FAILED', `cannot fetch "${redactUrl(text)}": the server answered ${status}${name ? ` ${name}` : ''}`, {
    hint: statusHint(status, URL.parse(text)?.hostname ?? 'host'),
  });
}

const timeouts: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'the connection took too long',
  UND_ERR_HEADERS_TIMEOUT: 'no answer came in time',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
};

function hintFor(code: string, url: URL): string {
  if (code === 'ECONNREFUSED') return `nothing listens on "${url.host}": check host and port`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `"${url.hostname}" has no address: check the name and the network`;
  if (/CERT|SIGNED|VERIFY_LEAF/.test(code)) return 'its certificate is not trusted here: name its authority in NODE_EXTRA_CA_CERTS';
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return 'it does not speak TLS: is the URL http rather than https?';
  return 'check the network, and proxy variables such as HTTPS_PROXY';
}

function statusHint(status: number, host: string): string {
  if (status === 401 || status === 403)
    return `give credentials with --secret id=HTTP_AUTH_TOKEN_${host},… or id=HTTP_AUTH_HEADER_${host},…`;
  if (status === 404 || status === 410) return 'check the URL: nothing is there';
  if (status === 407) return 'the proxy wants credentials';
  if (status === 429) return 'the server limits how often one may ask: wait, and build again';
  if (status >= 500) return 'the fault is on the side of the server: build again later';
  return 'check the URL with curl -v';
}
