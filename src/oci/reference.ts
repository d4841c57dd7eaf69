import { BuildError } from '../diagnostics/build-error.ts';
import { type Digest, isDigest } from './digest.ts';

/** Names an image in a registry. Has a tag or a digest; with both, the digest decides. */
export interface Reference {
  /** Host, with a port where one was given: `docker.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** `library/debian`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const defaultRegistry = 'docker.io';
/** Registry and repository together. Source: distribution/reference, `RepositoryNameTotalLengthMax`. */
const maxNameLength = 255;
/** No reference is longer than a name, a tag and a sha256 digest; checked before any pattern sees the text. */
const maxLength = maxNameLength + 1 + 128 + 1 + 71;

const tagForm = /^\w[\w.-]{0,127}$/;
const repositoryForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const hostLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const registryForm = new RegExp(`^(?:${hostLabel}(?:\\.${hostLabel})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?$`);

/**
 * Reads a reference as Docker does: `debian` is `docker.io/library/debian:latest`. Throws REFERENCE_INVALID.
 * Source: distribution/reference, the grammar in its package comment and normalize.go.
 */
export function parseReference(text: string): Reference {
  if (text === '') throw invalid(text, 'it is empty', 'name an image, as in "debian:bookworm"');
  if (text.length > maxLength) throw invalid(`${text.slice(0, 40)}…`, `it is longer than ${maxLength} characters`);
  if (/^[0-9a-f]{64}$/.test(text)) throw invalid(text, '64 hex digits are no name', `write "sha256:${text.slice(0, 12)}…" for a digest`);
  const { name, tag, digest } = split(text);
  const { registry, repository } = locate(name);
  checkName(text, registry, repository);
  if (tag !== undefined && !tagForm.test(tag)) {
    throw invalid(
      text,
      `"${tag}" is no tag`,
      'a tag has up to 128 letters, digits, "_", "." and "-", and begins with none of the last two',
    );
  }
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(text, `"${digest}" is no digest that can be used`, 'a digest is "sha256:" and 64 lower-case hex digits');
  }
  if (digest !== undefined) return { registry, repository, ...(tag === undefined ? {} : { tag }), digest };
  return { registry, repository, tag: tag ?? 'latest' };
}

/** In full: `docker.io/library/debian:latest`. Equal references have equal texts. */
export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return suffixed(`${registry}/${repository}`, tag, digest);
}

/** As Docker shows it: `debian:latest`, `someone/tool:1.0`, `127.0.0.1:5000/app:latest`. */
export function familiarReference({ registry, repository, tag, digest }: Reference): string {
  const local = registry === defaultRegistry;
  const short = repository.replace(/^library\/(?=[^/]+$)/, '');
  return suffixed(local ? short : `${registry}/${repository}`, tag, digest);
}

function suffixed(name: string, tag: string | undefined, digest: Digest | undefined): string {
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** Cuts off digest and tag. A colon before the last slash belongs to a port. */
function split(text: string): { name: string; tag?: string; digest?: string } {
  const at = text.indexOf('@');
  const rest = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? {} : { digest: text.slice(at + 1) };
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  return colon < 0 ? { name: rest, ...digest } : { name: rest.slice(0, colon), tag: rest.slice(colon + 1), ...digest };
}

/** The first component is a host only when it cannot be a repository's: with a dot, a colon or a capital, or `localhost`. */
function locate(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  const registry = isHost ? first : defaultRegistry;
  const repository = isHost ? name.slice(slash + 1) : name;
  if (registry !== defaultRegistry && registry !== 'index.docker.io') return { registry, repository };
  return { registry: defaultRegistry, repository: repository.includes('/') ? repository : `library/${repository}` };
}

function checkName(text: string, registry: string, repository: string): void {
  if (!registryForm.test(registry)) throw invalid(text, `"${registry}" is no host name`, 'a registry is "host" or "host:port"');
  if (repository !== repository.toLowerCase()) {
    throw invalid(text, 'a repository is written in lower case', `did you mean "${text.toLowerCase()}"?`);
  }
  if (!repositoryForm.test(repository)) {
    const hint = 'a repository has lower-case letters, digits and single ".", "_", "-" between them, in parts separated by "/"';
    throw invalid(text, `"${repository.replace(/^library\//, '')}" is no repository name`, hint);
  }
  if (`${registry}/${repository}`.length > maxNameLength) throw invalid(text, `its name is longer than ${maxNameLength} characters`);
}

function invalid(text: string, why: string, hint?: string): BuildError {
  return new BuildError('REFERENCE_INVALID', `"${text}" is not an image reference: ${why}`, { hint });
}
