/** What a registry asks for in `WWW-Authenticate`. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service?: string; readonly scopes: readonly string[] };

// token68 (`Negotiate abc==`) is taken as a scheme's single value and passed over.
const part = /\s*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|([A-Za-z][A-Za-z0-9-]*))\s*,?/y;

/** The best challenge in a header that may hold several: bearer before basic. Undefined when none can be answered. Source: RFC 9110, 11.6.1. */
export function parseChallenge(header: string): Challenge | undefined {
  const challenges = split(header.slice(0, 8192)).map(({ scheme, parameters }) => toChallenge(scheme, parameters));
  return challenges.find((one) => one?.scheme === 'bearer') ?? challenges.find((one) => one?.scheme === 'basic');
}

function toChallenge(scheme: string, parameters: ReadonlyMap<string, string>): Challenge | undefined {
  if (scheme === 'basic') return { scheme };
  const realm = parameters.get('realm');
  if (scheme !== 'bearer' || !realm) return undefined;
  const service = parameters.get('service');
  const scopes =
    parameters
      .get('scope')
      ?.split(' ')
      .filter((scope) => scope !== '') ?? [];
  return { scheme, realm, ...(service === undefined ? {} : { service }), scopes };
}

function split(header: string): { scheme: string; parameters: Map<string, string> }[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  part.lastIndex = 0;
  for (let match = part.exec(header); match !== null && match[0] !== ''; match = part.exec(header)) {
    const [, name, quoted, bare, scheme] = match;
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else if (name !== undefined) found.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '');
  }
  return found;
}
