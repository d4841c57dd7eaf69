import { BuildError } from '../diagnostics/build-error.ts';

/** Where a registry's API is: Docker Hub has another host than its name says. */
function apiHost(registry: string): string {
  return registry === 'docker.io' ? 'registry-1.docker.io' : registry;
}

/** The base URL of a registry. Throws REFERENCE_INVALID for a host that no URL can have. */
export function baseURL(scheme: 'https' | 'http', registry: string): URL {
  try {
    return new URL(`${scheme}://${apiHost(registry)}/v2/`);
  } catch (cause) {
    throw new BuildError('REFERENCE_INVALID', `"${registry}" is not the host of a registry`, {
      cause,
      hint: 'check the host and its port',
    });
  }
}

/** Whether a URL's host name (IPv4 in its usual form, IPv6 in brackets) is this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Whether an error of a TLS connection means that the other side speaks none: only then is plain HTTP worth a try. */
export function speaksNoTLS(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('ERR_SSL_') || code === 'EPROTO' || code === 'ECONNRESET' || code === 'UND_ERR_SOCKET';
}
