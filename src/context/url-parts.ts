import { isIPv6 } from 'node:net';

/** A URL in its parts, as Go's net/url reads it: BuildKit's frontend decides by these, and WHATWG's rules (`new URL`) differ from them. */
export interface UrlParts {
  /** Lower case; empty where there is none. */
  readonly scheme: string;
  /** Not decoded, without `@`. */
  readonly userinfo: string | undefined;
  /** Decoded, with its port. */
  readonly host: string;
  /** Decoded. */
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
  /** Decoded, without `#`. */
  readonly fragment: string;
  /** The whole again, without query and fragment; what had to be encoded is. */
  readonly bare: string;
}

/** Undefined for what is no URL. Source: Go 1.26, net/url. */
export function splitUrl(text: string): UrlParts | undefined {
  const [main, rawFragment] = cut(text, '#');
  const fragment = unescapeUrl(rawFragment);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (fragment === undefined || /[\x00-\x1f\x7f]/.test(main)) return undefined;
  if (main.startsWith(':')) return undefined;
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(main)?.[1] ?? '';
  // A lone `?` at the end stays, as Go writes it back.
  const [rest, query] = cut(scheme === '' ? main : main.slice(scheme.length + 1), '?');
  const end = main.endsWith('?') && query === '' ? '?' : '';
  const isRooted = rest.startsWith('/');
  if (!isRooted && scheme === '' && rest.split('/', 1)[0]?.includes(':')) return undefined;
  const lower = scheme.toLowerCase();
  const prefix = lower === '' ? '' : `${lower}:`;
  if (!isRooted && scheme !== '')
    return { scheme: lower, userinfo: undefined, host: '', path: '', query, fragment, bare: prefix + rest + end };
  const hasAuthority = rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'));
  const authority = hasAuthority ? (rest.slice(2).split('/', 1)[0] ?? '') : '';
  const rawPath = hasAuthority ? rest.slice(2 + authority.length) : rest;
  const path = unescapeUrl(rawPath);
  const named = readAuthority(authority, lower);
  if (path === undefined || !named) return undefined;
  const isNamed = hasAuthority && authority + rawPath !== '';
  const bare = `${prefix}${isNamed ? `//${named.written}` : ''}${escapedPath(rawPath)}${end}`;
  return { scheme: lower, userinfo: named.userinfo, host: named.host, path, query, fragment, bare };
}

/** The pairs of a query, in order. `damaged`: a pair was left out because its encoding is wrong. */
export function parseQuery(query: string): { readonly pairs: readonly (readonly [string, string])[]; readonly damaged: boolean } {
  const pairs: (readonly [string, string])[] = [];
  let damaged = false;
  for (const part of query.split('&')) {
    if (part === '') continue;
    const [rawName, rawValue] = cut(part, '=');
    const [name, value] = [unescapeUrl(rawName.replaceAll('+', ' ')), unescapeUrl(rawValue.replaceAll('+', ' '))];
    if (part.includes(';') || name === undefined || value === undefined) damaged = true;
    else pairs.push([name, value]);
  }
  return { pairs, damaged };
}

/** Text with its `%XX` decoded; undefined where one of them is none. */
function unescapeUrl(text: string): string | undefined {
  const bytes = unescapeBytes(text);
  return bytes?.toString();
}

/** The text before and after the first `mark`. */
export function cut(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)];
}

function readAuthority(authority: string, scheme: string): { userinfo: string | undefined; host: string; written: string } | undefined {
  const at = authority.lastIndexOf('@');
  const userinfo = at < 0 ? undefined : authority.slice(0, at);
  const host = readHost(authority.slice(at + 1), scheme);
  if (host === undefined) return undefined;
  const written = escapeBytes(Buffer.from(host), /[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/);
  if (userinfo === undefined) return { userinfo, host, written };
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(userinfo)) return undefined;
  const [user, password] = cut(userinfo, ':');
  const parts = (userinfo.includes(':') ? [user, password] : [user]).map(unescapeBytes);
  if (parts.includes(undefined)) return undefined;
  const encoded = parts.map((part) => escapeBytes(part ?? Buffer.alloc(0), /[A-Za-z0-9\-_.~$&+,;=]/));
  return { userinfo, host, written: `${encoded.join(':')}@${written}` };
}

/** A host and its port, decoded. Only bytes beyond ASCII may be encoded in it, and `%25` before the zone of an IPv6 address. */
function readHost(text: string, scheme: string): string | undefined {
  const open = text.lastIndexOf('[');
  if (open > 0) return undefined;
  if (open === 0) return readAddress(text);
  const colon = scheme === 'http' || scheme === 'https' ? text.indexOf(':') : text.lastIndexOf(':');
  if (colon >= 0 && !/^:\d*$/.test(text.slice(colon))) return undefined;
  return unescapeHost(text);
}

function readAddress(text: string): string | undefined {
  const close = text.lastIndexOf(']');
  const port = text.slice(close + 1);
  if (close < 0 || !/^(?::\d*)?$/.test(port)) return undefined;
  const [address, zone] = cut(text.slice(1, close), '%25');
  const name = zone === '' ? address : `${address}%${unescapeUrl(zone) ?? ''}`;
  return isIPv6(name) ? `[${name}]${port}` : undefined;
}

function unescapeHost(text: string): string | undefined {
  if (/[^A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"%\x80-\u{10ffff}]/u.test(text)) return undefined;
  if (/%(?!25)[0-7]/.test(text)) return undefined;
  return unescapeUrl(text);
}

/** As it was written where that is well encoded; else decoded and encoded anew. */
function escapedPath(raw: string): string {
  if (/^[A-Za-z0-9\-_.~!$&'()*+,;=:@[\]%/]*$/.test(raw)) return raw;
  return escapeBytes(unescapeBytes(raw) ?? Buffer.alloc(0), /[A-Za-z0-9\-_.~$&+,/:;=@]/);
}

function unescapeBytes(text: string): Buffer | undefined {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined;
  const pieces = text.split(/%([0-9a-fA-F]{2})/);
  return Buffer.concat(pieces.map((piece, index) => (index % 2 === 1 ? Buffer.from(piece, 'hex') : Buffer.from(piece))));
}

function escapeBytes(bytes: Buffer, plain: RegExp): string {
  const encode = (byte: number): string => {
    const character = String.fromCharCode(byte);
    return byte < 0x80 && plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  };
  return [...bytes].map(encode).join('');
}
