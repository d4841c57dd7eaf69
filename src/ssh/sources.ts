import { stat } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { readBounded } from '../context/read-bounded.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import { guardedAgent, keyAgent, rawAgent } from './agent.ts';
import { EncryptedKeyError } from './openssh-key.ts';
import { type PrivateKey, parsePrivateKey } from './private-key.ts';

/** What `--ssh` names: one socket of an agent, or files of private keys. Paths are absolute. */
export interface AgentOption {
  readonly id: string;
  readonly paths: readonly string[];
  readonly raw: boolean;
}

/** Opens a connection to an agent: it is the near end, and fails where the far end does. */
export type ConnectAgent = () => Duplex;

/** The longest key file, in bytes. Source: BuildKit, sshprovider. */
const maxKeyBytes = 100 * 1024;

/** The agents of a build, by id. Keys stay in this process. Throws SSH_MISSING. */
export async function openAgents(options: readonly AgentOption[]): Promise<ReadonlyMap<string, ConnectAgent>> {
  return new Map(await Promise.all(options.map(async (option) => [option.id, await openAgent(option)] as const)));
}

async function openAgent({ id, paths, raw }: AgentOption): Promise<ConnectAgent> {
  const kinds = await Promise.all(paths.map((path) => isSocket(path, id)));
  const [path] = paths;
  if (kinds.length === 1 && kinds[0] && path !== undefined) return raw ? () => rawAgent(path) : () => guardedAgent(path);
  if (raw) throw unusable(`"${paths.join(',')}" of --ssh ${id} is no socket`, 'raw=true is for sockets');
  if (kinds.includes(true)) throw unusable(`--ssh ${id} has a socket and something else`, 'give one socket, or files of keys');
  const keys = await Promise.all(paths.map((file) => readKey(file)));
  return () => keyAgent(keys);
}

async function isSocket(path: string, id: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch (error) {
    const hint = 'give the socket of an agent, or the file of a private key';
    throw unusable(`"${path}" of --ssh ${id} cannot be used: ${reasonOf(error)}`, hint, error);
  }
}

async function readKey(file: string): Promise<PrivateKey> {
  try {
    const text = await readBounded(file, maxKeyBytes);
    if (text) return parsePrivateKey(text.toString());
  } catch (error) {
    if (error instanceof EncryptedKeyError)
      throw unusable(`the key "${file}" has a passphrase`, 'add it to an agent with "ssh-add", then use --ssh default');
    // No cause: what the parser says of a key could quote it.
    throw unusable(`"${file}" cannot be read as a private key`, 'it is a file as "ssh-keygen" writes it, of type ed25519, ecdsa or rsa');
  }
  throw unusable(`"${file}" is larger than ${maxKeyBytes} bytes`, 'give the file of a private key');
}

const unusable = (message: string, hint: string, cause?: unknown): BuildError => new BuildError('SSH_MISSING', message, { hint, cause });

const reasonOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : String(error));
