import { parseBoolean } from '../../../grammar/boolean.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { quote } from '../go-format.ts';

/** What `# check=…` says. Names that no rule has mean nothing. */
export interface CheckConfig {
  readonly skip: ReadonlySet<string> | 'all';
  readonly experimental: ReadonlySet<string> | 'all';
  /** Violations fail the build. */
  readonly error: boolean;
}

const noConfig: CheckConfig = { skip: new Set(), experimental: new Set(), error: false };

/**
 * Reads `skip=A,B;error=true;experimental=C`. Of more than three parts the last takes the rest, and of two of a kind the last counts.
 * Throws DOCKERFILE_INVALID. Source: BuildKit, `ParseLintOptions`.
 */
export function parseCheckConfig(text: string): CheckConfig {
  if (text.trim() === '') return noConfig;
  let config = noConfig;
  for (const part of splitAtMost(text.trim(), ';', 3)) {
    const equals = part.indexOf('=');
    const name = equals === -1 ? part : part.slice(0, equals).trim();
    const value = part.slice(equals + 1).trim();
    if (equals === -1 || !['skip', 'experimental', 'error'].includes(name)) throw invalid(`invalid check option ${quote(name)}`);
    config = { ...config, [name]: name === 'error' ? booleanOf(value, part) : parseNames(value) };
  }
  return config;
}

/** What the comments above an instruction add to it: the first that is a check option counts, a bad one adds nothing. */
export function withComments(config: CheckConfig, comments: readonly string[]): CheckConfig {
  for (const comment of comments) {
    const option = /^check\s*=\s*(.+?)\s*$/i.exec(comment)?.[1];
    if (option === undefined) continue;
    try {
      return merged(config, parseCheckConfig(option.split(' ', 1)[0] ?? ''));
    } catch (error) {
      // BuildKit says nothing either: it may be a comment that only looks like an option.
      if (error instanceof BuildError) return config;
      throw error;
    }
  }
  return config;
}

function merged(config: CheckConfig, added: CheckConfig): CheckConfig {
  return { ...config, skip: union(config.skip, added.skip), experimental: union(config.experimental, added.experimental) };
}

function union(one: CheckConfig['skip'], other: CheckConfig['skip']): CheckConfig['skip'] {
  return one === 'all' || other === 'all' ? 'all' : one.union(other);
}

const parseNames = (value: string): CheckConfig['skip'] => (value === 'all' ? 'all' : new Set(value.split(',').map((name) => name.trim())));

function booleanOf(value: string, part: string): boolean {
  const known = parseBoolean(value);
  if (known !== undefined) return known;
  throw invalid(`failed to parse check option ${quote(part)}: ${quote(value)} is neither true nor false`);
}

function splitAtMost(text: string, separator: string, most: number): string[] {
  const parts = text.split(separator);
  return [...parts.slice(0, most - 1), ...(parts.length >= most ? [parts.slice(most - 1).join(separator)] : [])];
}

const invalid = (message: string): BuildError =>
  new BuildError('DOCKERFILE_INVALID', message, {
    hint: 'write "skip=RULE,RULE", "experimental=RULE" or "error=true", with ";" between them',
  });
