import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './ports.ts';

/** A real registry (Debian's docker-registry) on a loopback port, with an empty folder of its own. */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Where it keeps its blobs: `docker/registry/v2/…` below it. */
  readonly directory: string;
  /** The requests that it answered so far: `GET /v2/… 200`. Read after they are done. */
  requests(): Promise<string[]>;
}

export interface RegistryOptions {
  /** Asks for basic auth. */
  readonly auth?: { readonly user: string; readonly password: string };
}

/** Starts a registry and waits until it answers. It ends with the value: `await using registry = await startRegistry()`. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const directory = await mkdtemp(join(tmpdir(), 'cooper-registry-'));
  try {
    return await launch(directory, options);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function launch(directory: string, { auth }: RegistryOptions): Promise<Registry> {
  // Another process may take the port between the look and the start, so a start that fails is tried again on another.
  for (let attempt = 1; ; attempt++) {
    const host = `127.0.0.1:${await freePort()}`;
    const log = join(directory, 'log');
    const config = join(directory, 'config.yml');
    await writeFile(config, await configuration(directory, host, auth));
    // A shell's redirection gives the log file without a pipe that someone would have to read.
    const child = spawn('sh', ['-c', 'exec docker-registry serve "$1" >"$2" 2>&1', 'sh', config, log], { stdio: 'ignore' });
    if (await answers(child, host))
      return { host, directory, requests: () => requests(log), [Symbol.asyncDispose]: () => end(child, directory) };
    if (attempt === 5) throw new Error(`docker-registry does not start: ${await readFile(log, 'utf8')}`);
  }
}

async function configuration(directory: string, host: string, auth: RegistryOptions['auth']): Promise<string> {
  const lines = [
    'version: 0.1',
    'log: { level: info, accesslog: { disabled: false } }',
    `storage: { filesystem: { rootdirectory: ${JSON.stringify(directory)} }, delete: { enabled: true } }`,
    `http: { addr: ${JSON.stringify(host)}, secret: test }`,
  ];
  if (auth) {
    const { stdout } = await promisify(execFile)('htpasswd', ['-Bbn', auth.user, auth.password]);
    await writeFile(join(directory, 'htpasswd'), stdout);
    lines.push(`auth: { htpasswd: { realm: test, path: ${JSON.stringify(join(directory, 'htpasswd'))} } }`);
  }
  return `${lines.join('\n')}\n`;
}

/** False when the process ended instead. */
async function answers(child: ChildProcess, host: string): Promise<boolean> {
  while (child.exitCode === null && child.signalCode === null) {
    const response = await fetch(`http://${host}/v2/`).catch(() => undefined); // Refused until it listens.
    if (response) {
      await response.arrayBuffer();
      return response.headers.get('docker-distribution-api-version') !== null;
    }
    await sleep(20);
  }
  return false;
}

async function requests(log: string): Promise<string[]> {
  const text = await readFile(log, 'utf8');
  return [...text.matchAll(/"([A-Z]+ \/v2\/\S*) HTTP\/1\.[01]" (\d{3})/g)].map(([, request, status]) => `${request} ${status}`);
}

async function end(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(directory, { recursive: true, force: true });
}
