import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { BuildError } from '../diagnostics/build-error.ts';
import type { Environment } from './transport.ts';

/** What a registry is told of who asks. Never part of a message. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** A refresh token: good for bearer tokens only. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A bearer token that is sent as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/** Finds the credentials of a registry; undefined: ask as nobody. */
export interface CredentialSource {
  get(registry: string, signal: AbortSignal): Promise<Credentials | undefined>;
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly credHelpers?: Readonly<Record<string, unknown>>;
  readonly credsStore?: unknown;
}

/** Credentials as Docker keeps them: `$DOCKER_CONFIG/config.json`, else `$HOME/.docker/config.json`, and the helpers that it names. */
export class DockerCredentials implements CredentialSource {
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Throws REGISTRY_AUTH for a file or a helper that does not work. */
  async get(registry: string, signal: AbortSignal): Promise<Credentials | undefined> {
    const config = await this.#config();
    const helper =
      keysOf(registry)
        .map((key) => config.credHelpers?.[key])
        .find((name) => name !== undefined) ?? config.credsStore;
    const kept = typeof helper === 'string' && helper !== '' ? await this.#ask(helper, registry, signal) : undefined;
    return kept ?? fromAuths(config, registry);
  }

  async #config(): Promise<DockerConfig> {
    const folder = this.#environment.DOCKER_CONFIG || (this.#environment.HOME && join(this.#environment.HOME, '.docker'));
    if (!folder) return {};
    const path = join(folder, 'config.json');
    try {
      return JSON.parse(await readFile(path, 'utf8')) as DockerConfig;
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return {};
      // Not the cause itself: JSON.parse quotes the text, which holds passwords.
      const why = cause instanceof SyntaxError ? 'it is not valid JSON' : cause instanceof Error ? cause.message : '';
      throw new BuildError('REGISTRY_AUTH', `cannot read credentials from "${path}": ${why}`, { hint: 'mend or remove that file' });
    }
  }

  /** The protocol of docker-credential-helpers: the server on stdin, JSON on stdout. */
  async #ask(helper: string, registry: string, signal: AbortSignal): Promise<Credentials | undefined> {
    const hint = 'Docker\'s config.json names it under "credsStore" or "credHelpers": install it, or remove it there';
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(helper))
      throw new BuildError('REGISTRY_AUTH', `"${helper}" is no name of a credential helper`, { hint });
    const program = `docker-credential-${helper}`;
    const env = Object.fromEntries(Object.entries(this.#environment).filter(([, value]) => value !== undefined));
    const child = spawn(program, ['get'], { env, stdio: ['pipe', 'pipe', 'ignore'], signal });
    child.stdin.on('error', () => {}); // A helper that does not read its input says what is wrong by its exit status.
    child.stdin.end(keysOf(registry)[0]);
    try {
      const [answer, [status]] = await Promise.all([text(child.stdout), once(child, 'close')]);
      if (status === 0) return fromHelper(answer, program);
      if (/not found/i.test(answer)) return undefined;
      throw new BuildError('REGISTRY_AUTH', `"${program}" ended with exit status ${status}`, { hint });
    } catch (cause) {
      if (cause instanceof BuildError || signal.aborted) throw cause;
      throw new BuildError('REGISTRY_AUTH', `"${program}" cannot be run`, { cause, hint });
    }
  }
}

/** What a registry may be called in config.json; Docker's own name for it first. */
function keysOf(registry: string): [string, ...string[]] {
  if (registry !== 'docker.io') return [registry];
  return ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'];
}

function fromAuths({ auths = {} }: DockerConfig, registry: string): Credentials | undefined {
  const keys = keysOf(registry).map(hostOf);
  const exact = keysOf(registry).find((key) => Object.hasOwn(auths, key));
  const entry = auths[exact ?? Object.keys(auths).find((key) => keys.includes(hostOf(key))) ?? ''];
  if (!entry) return undefined;
  const value = (name: string) => (typeof entry[name] === 'string' ? entry[name] : '');
  if (value('registrytoken')) return { kind: 'bearer', token: value('registrytoken') };
  if (value('identitytoken')) return { kind: 'identity', token: value('identitytoken') };
  const [, username = value('username'), password = value('password')] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(value('auth'), 'base64').toString().replace(/\0+$/, '')) ?? [];
  return username === '' ? undefined : { kind: 'password', username, password };
}

/** `https://host/v1/` and `host` are one registry. */
function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

function fromHelper(answer: string, program: string): Credentials | undefined {
  try {
    const { Username: username, Secret: secret } = JSON.parse(answer) as Record<string, unknown>;
    if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return undefined;
    return username === '<token>' ? { kind: 'identity', token: secret } : { kind: 'password', username, password: secret };
  } catch {
    // Without the cause: it quotes the answer, which holds a secret.
    throw new BuildError('REGISTRY_AUTH', `"${program}" did not answer in JSON`, { hint: 'try it by hand, or remove it from config.json' });
  }
}
