import { BuildError } from '../diagnostics/build-error.ts';
import { codes, type ErrorCode } from '../diagnostics/codes.ts';
import { type Frame, type FrameKind, frameKinds } from './codec.ts';
import { initialCredit, type WorkerError, type WorkerEvent } from './protocol.ts';

export interface ExchangeHandlers {
  readonly onEvent?: (event: WorkerEvent) => void;
  /** Data frames as they come. The worker may send more when the promise is fulfilled: a slow reader slows it down. */
  readonly onData?: (payload: Buffer) => void | Promise<void>;
  /** Sent as data frames within the worker's credit; an empty frame marks its end. */
  readonly input?: AsyncIterable<Uint8Array>;
}

/** One request and all that belongs to it: events, data both ways with credit, the response. */
export class Exchange {
  readonly response: Promise<unknown>;
  readonly #send: (kind: FrameKind, payload: Uint8Array) => void;
  readonly #handlers: ExchangeHandlers;
  readonly #settle: { resolve: (result: unknown) => void; reject: (error: Error) => void };
  #credit = initialCredit;
  #creditCame: (() => void) | undefined;
  #done = false;
  /** Data that the caller has not taken yet: the response is his when he has. */
  readonly #reading = new Set<Promise<void>>();

  constructor(stream: number, send: (kind: FrameKind, payload: Uint8Array) => void, handlers: ExchangeHandlers) {
    if (stream < 1) throw new Error(`stream ${stream} is the connection's own`);
    this.#send = send;
    this.#handlers = handlers;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.response = promise;
    this.#settle = { resolve, reject };
    if (handlers.input) void this.#sendInput(handlers.input);
  }

  take({ kind, payload }: Frame): void {
    if (kind === frameKinds.data) this.#read(payload);
    else if (kind === frameKinds.event) this.#handlers.onEvent?.(JSON.parse(payload.toString()) as WorkerEvent);
    else if (kind === frameKinds.credit) this.#addCredit(payload.readUInt32LE(0));
    else if (kind === frameKinds.response) this.#takeResponse(payload);
    // Only we ask and cancel: whoever sends this is not the worker.
    else throw new Error(`frame of kind ${kind}`);
  }

  fail(error: Error): void {
    this.#done = true;
    this.#creditCame?.();
    this.#settle.reject(error);
  }

  #takeResponse(payload: Buffer): void {
    const { result, error } = JSON.parse(payload.toString()) as { result?: unknown; error?: WorkerError };
    this.#done = true;
    this.#creditCame?.();
    if (error) this.#settle.reject(new WorkerRefusal(error));
    else void Promise.all(this.#reading).then(() => this.#settle.resolve(result));
  }

  #read(payload: Buffer): void {
    const reading = this.#takeData(payload).finally(() => this.#reading.delete(reading));
    this.#reading.add(reading);
  }

  async #takeData(payload: Buffer): Promise<void> {
    try {
      await this.#handlers.onData?.(payload);
    } catch (error) {
      // After the response too: what the caller could not take is not what he asked for.
      if (this.#done) this.#settle.reject(asError(error));
      return this.#giveUp(error);
    }
    const credit = Buffer.alloc(4);
    credit.writeUInt32LE(payload.length);
    if (!this.#done) this.#send(frameKinds.credit, credit);
  }

  #addCredit(bytes: number): void {
    this.#credit += bytes;
    this.#creditCame?.();
  }

  async #sendInput(input: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of input) {
        for (let at = 0; at < chunk.length && !this.#done; ) at += await this.#sendSome(chunk.subarray(at));
        if (this.#done) return;
      }
      if (!this.#done) this.#send(frameKinds.data, new Uint8Array());
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Our own side fails: the caller gets that error, and the worker need not go on. */
  #giveUp(error: unknown): void {
    if (this.#done) return;
    this.fail(asError(error));
    this.#send(frameKinds.cancel, new Uint8Array());
  }

  async #sendSome(bytes: Uint8Array): Promise<number> {
    while (this.#credit === 0 && !this.#done) await new Promise<void>((resolve) => (this.#creditCame = resolve));
    const some = bytes.subarray(0, Math.min(bytes.length, this.#credit, 64 * 1024));
    this.#credit -= some.length;
    this.#send(frameKinds.data, some);
    return some.length;
  }
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));

/** What the worker answered, with its details as hint. A code that we don't know is a defect of ours. */
export class WorkerRefusal extends BuildError {
  readonly details: WorkerError;

  constructor(details: WorkerError) {
    const code = details.code in codes ? (details.code as ErrorCode) : 'INTERNAL';
    super(code, details.message, { hint: details.hint });
    this.details = details;
  }
}
