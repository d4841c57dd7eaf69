import { type ChildProcess, spawn } from 'node:child_process';
import { BuildError } from '../diagnostics/build-error.ts';
import { findWorker } from './binary.ts';
import { encodeFrame, type Frame, FrameReader, frameKinds } from './codec.ts';
import { Exchange, type ExchangeHandlers } from './exchange.ts';
import { protocolVersion, type Requests, type UserNamespace, type WorkerEvent } from './protocol.ts';

export interface WorkerOptions {
  /** The store's root, absolute. */
  readonly root: string;
  /** The worker's binary; default: where set-up puts it. */
  readonly binary?: string;
  /** Of the caller: the worker gets what it needs of it. Without one it inherits that of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Which ids containers of root have. */
  readonly userns?: UserNamespace | undefined;
}

export interface CallOptions extends ExchangeHandlers {
  readonly signal?: AbortSignal | undefined;
  /** Told the stream of the request, by which others name it (`sandbox.signal`). */
  readonly onStream?: (stream: number) => void;
}

/** How long the worker may take to end its children and unmount. */
const closeTimeoutMs = 20_000;

export type Method = keyof Requests;

/** What the worker may know of the caller's environment, which can hold secrets: where programs are, how it should complain, and which way it is to take. */
const passedOn = /^(PATH|HOME|USER|LOGNAME|LANG|LC_.*|TMPDIR|XDG_RUNTIME_DIR|RUST_.*|COOPER_MODE|COOPER_SNAPSHOTTER)$/;
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const workerEnvironment = (all: NonNullable<WorkerOptions['environment']>): NodeJS.ProcessEnv => ({
  PATH: defaultPath,
  ...Object.fromEntries(Object.entries(all).filter(([name]) => passedOn.test(name))),
});

/** The native worker as a child process: `await using worker = await Worker.start(...)`. It ends when its stdin closes. */
export class Worker implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exchanges = new Map<number, Exchange>();
  readonly #exited: Promise<void>;
  #stderr = '';
  #nextStream = 1;
  #failure: Error | undefined;
  #info: Requests['hello']['result'] | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    // The pipe breaks when the worker dies; what that means to callers is said in #fail.
    child.stdin?.on('error', () => {});
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => resolve(this.#fail(error.message)));
      child.once('close', (code, signal) => resolve(this.#fail(signal ? `ended by ${signal}` : `ended with status ${code}`)));
    });
    const frames = new FrameReader();
    child.stdout?.on('data', (chunk: Buffer) => {
      try {
        for (const frame of frames.push(chunk)) this.#take(frame);
      } catch (error) {
        this.#fail(`it sent nonsense (${error instanceof Error ? error.message : error})`);
        child.kill('SIGKILL');
      }
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      // Bounded: the worker's own complaints (a panic) are the tail of a message, not a log.
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4096);
    });
  }

  /** Starts the worker and opens the store. Throws WORKER_FAILED or STORE_FAILED. */
  static async start(options: WorkerOptions, signal?: AbortSignal): Promise<Worker> {
    // A group of its own: Ctrl-C at the terminal goes to the builder only, which cancels in order.
    const env = options.environment && workerEnvironment(options.environment);
    const child = spawn(options.binary ?? findWorker(), [], { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env });
    const worker = new Worker(child);
    try {
      worker.#info = await worker.call(
        'hello',
        { version: protocolVersion, root: options.root, ...(options.userns && { userns: options.userns }) },
        { signal },
      );
      return worker;
    } catch (error) {
      await worker[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What the worker said of itself: its lease, its mode and why. */
  get info(): Requests['hello']['result'] {
    if (!this.#info) throw new Error('the worker has not said hello');
    return this.#info;
  }

  /** Sends a request and waits for its response. Throws a BuildError with the worker's code, or CANCELLED. */
  async call<M extends Method>(method: M, params: Requests[M]['params'], options: CallOptions = {}): Promise<Requests[M]['result']> {
    options.signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    const stream = this.#nextStream++;
    const exchange = new Exchange(stream, (kind, payload) => this.#send(kind, stream, payload), options);
    this.#exchanges.set(stream, exchange);
    options.onStream?.(stream);
    const cancel = () => this.#send(frameKinds.cancel, stream, new Uint8Array());
    options.signal?.addEventListener('abort', cancel, { once: true });
    try {
      this.#send(frameKinds.request, stream, Buffer.from(JSON.stringify({ method, params })));
      return (await exchange.response) as Requests[M]['result'];
    } catch (error) {
      // Cancelled calls end with the caller's own reason, whatever the worker had to say about it.
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', cancel);
      this.#exchanges.delete(stream);
    }
  }

  /** Closes the worker's stdin and waits until it and its children are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    // A worker that hangs must not hang us; its children die with it.
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), closeTimeoutMs);
    await this.#exited;
    clearTimeout(timer);
  }

  #send(kind: Frame['kind'], stream: number, payload: Uint8Array): void {
    if (this.#failure) return;
    this.#child.stdin?.write(encodeFrame(kind, stream, payload));
  }

  #take(frame: Frame): void {
    if (frame.stream === 0) this.#welcome(frame);
    // A frame of a finished exchange (a late event, credit) has nobody left to tell.
    else this.#exchanges.get(frame.stream)?.take(frame);
  }

  #welcome(frame: Frame): void {
    const event = JSON.parse(frame.payload.toString()) as WorkerEvent;
    if (event.type === 'welcome' && event.version !== protocolVersion) {
      this.#fail(`it speaks protocol ${event.version}, expected ${protocolVersion}`);
      this.#child.kill('SIGKILL');
    }
  }

  #fail(reason: string): void {
    this.#failure ??= new BuildError('WORKER_FAILED', `the native worker failed: ${reason}`, {
      notes: this.#stderr.trim() ? this.#stderr.trim().split('\n') : [],
    });
    for (const exchange of this.#exchanges.values()) exchange.fail(this.#failure);
    this.#exchanges.clear();
  }
}
