import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '../../src/oci/digest.ts';
import type { BuildEvent } from '../../src/progress/events.ts';

/** What a command that ended has said. */
export interface Ended {
  /** 128 + n when signal n ended it, as a shell says it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A build that ended, with its events. */
export interface Built extends Ended {
  readonly events: readonly BuildEvent[];
  /** Of the manifest; empty when the build failed. */
  readonly digest: Digest | '';
  /** The instructions that were executed, in the order they ended: `RUN make`. Those that the cache answered are in `cached`. */
  readonly ran: readonly string[];
  readonly cached: readonly string[];
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** The working directory; default: the test's own. */
  readonly cwd?: string;
}

/** A command that runs. */
export interface Running {
  readonly pid: number;
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until standard output and error together have this text. Throws when the command ends without it. */
  says(text: string): Promise<void>;
  /** Sends a signal, and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<Ended>;
}

/** How the command is started: as who, from where. */
export interface Installation {
  readonly command: readonly [string, ...string[]];
  /** Where its user can write. */
  readonly temporary: string;
  readonly env: Readonly<Record<string, string>>;
  /** Whom the test's folder belongs to, when that is not us. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

const repo = join(import.meta.dirname, '../..');

/** `bin/cooper` of this repo, as we are. */
export const here: Installation = { command: [join(repo, 'bin/cooper')], temporary: tmpdir(), env: {} };

/** The real command, with a folder and a store of its own: `await using cooper = await makeCooper()`. */
export class Cooper implements AsyncDisposable {
  readonly directory: string;
  /** The store. */
  readonly root: string;
  readonly #installation: Installation;
  readonly #running = new Set<Running>();

  constructor(directory: string, installation: Installation) {
    this.directory = directory;
    this.root = join(directory, 'store');
    this.#installation = installation;
  }

  start(args: readonly string[], { env = {}, input, cwd = this.directory }: CommandOptions = {}): Running {
    const [program, ...before] = this.#installation.command;
    const child = spawn(program, [...before, ...args], {
      cwd,
      env: { ...process.env, ...this.#installation.env, ...env, COOPER_ROOT: this.root, HOME: this.directory },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => {}); // A command may end without reading it.
    child.stdin.end(input ?? '');
    const running = new RunningCommand(child);
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Runs a command to its end, whatever its status. */
  run(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  /** Runs a command that has to end well; gives its standard output. */
  async ok(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(args, options);
    if (status !== 0) throw new Error(`cooper ${args.join(' ')} ended with ${status}:\n${stderr}`);
    return stdout;
  }

  /** Builds, and reads the events. */
  async build(args: readonly string[], options: CommandOptions = {}): Promise<Built> {
    const ended = await this.run(['build', '--progress', 'json', ...args], options);
    return { ...ended, ...readEvents(ended.stderr) };
  }

  /** A build that has to end well. */
  async built(args: readonly string[], options: CommandOptions = {}): Promise<Built> {
    const built = await this.build(args, options);
    if (built.status !== 0) throw new Error(`cooper build ${args.join(' ')} ended with ${built.status}:\n${tail(built)}`);
    return built;
  }

  /** Makes a folder with these files; gives its path. */
  async context(name: string, files: Readonly<Record<string, string>>): Promise<string> {
    const path = join(this.directory, name);
    for (const [file, text] of Object.entries(files)) {
      await mkdir(join(path, file, '..'), { recursive: true });
      await writeFile(join(path, file), text);
    }
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process: child } of this.#running) child.kill('SIGKILL');
    await Promise.all([...this.#running].map(({ ended }) => ended));
    // Where a test failed, a worker may still be on its way out.
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

export async function makeCooper(installation: Installation = here): Promise<Cooper> {
  const directory = await mkdtemp(join(installation.temporary, 'cooper-e2e-'));
  if (installation.owner) await chown(directory, installation.owner.uid, installation.owner.gid);
  return new Cooper(directory, installation);
}

/** A copy of a folder of fixtures/ that a test may change. */
export async function copyFixture(cooper: Cooper, name: string): Promise<string> {
  const path = join(cooper.directory, name);
  await cp(join(repo, 'fixtures', name), path, { recursive: true });
  return path;
}

class RunningCommand implements Running {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  /** Called after each piece of output, and at the end. */
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.process = child;
    this.pid = child.pid ?? 0;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#wake();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    this.ended = once(child, 'close').then(([status, signal]) => {
      this.#wake();
      return { status: status === null ? 128 + signalNumber(signal) : Number(status), stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  async says(text: string): Promise<void> {
    let over = false;
    void this.ended.then(() => {
      over = true;
      this.#wake();
    });
    while (!this.#stdout.includes(text) && !this.#stderr.includes(text)) {
      if (over) throw new Error(`ended and never said "${text}":\n${this.#stderr}\n${this.#stdout}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async stop(signal: NodeJS.Signals): Promise<Ended> {
    this.process.kill(signal);
    return this.ended;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

const signalNumber = (signal: NodeJS.Signals | null): number => ({ SIGKILL: 9, SIGTERM: 15, SIGINT: 2 })[signal as string] ?? 0;

/** What `--progress json` printed, and what follows from it. */
function readEvents(stderr: string): Omit<Built, keyof Ended> {
  const events = stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as BuildEvent);
  const names = new Map<Digest, string>();
  const ran: string[] = [];
  const cached: string[] = [];
  let digest: Digest | '' = '';
  for (const event of events) {
    if (event.type === 'plan') for (const { vertex, name } of event.vertices) names.set(vertex, name);
    if (event.type === 'vertex.completed') {
      const name = instruction(names.get(event.vertex) ?? '');
      if (name) (event.cached ? cached : ran).push(name);
    }
    if (event.type === 'build.completed') digest = event.digest ?? '';
  }
  return { events, digest, ran, cached };
}

/** `[build 2/5] RUN make` → `RUN make`. Undefined for what is no step: a base image, the context. */
function instruction(name: string): string | undefined {
  return name.match(/(?:^|\] )((?:RUN|COPY|ADD|WORKDIR) .*)$/s)?.[1];
}

/** The end of what a build said, for a message. */
function tail({ stderr, events }: Built): string {
  const output = events.map((event) => (event.type === 'vertex.output' ? event.text : '')).join('');
  const failed = events.find((event) => event.type === 'build.failed');
  const rest = stderr.split('\n').filter((line) => !line.startsWith('{'));
  return `${output.slice(-2000)}\n${failed ? `${failed.code}: ${failed.message}` : ''}\n${rest.join('\n').slice(-2000)}`;
}
