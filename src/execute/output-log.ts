/** Lines of a failed step's output that its error shows. */
const tailLines = 20;

/** Decodes the output frames of a step, passes them on, and keeps the last lines for an error. */
export class OutputLog {
  readonly #onText: (stream: 'stdout' | 'stderr', text: string) => void;
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  #tail = '';

  constructor(onText: (stream: 'stdout' | 'stderr', text: string) => void) {
    this.#onText = onText;
  }

  /** A data frame of `sandbox.run`: the first byte says which stream. */
  take(payload: Uint8Array): void {
    const stream = payload[0] === 2 ? 'stderr' : 'stdout';
    // A character may be split between two frames, so each stream has a decoder of its own.
    this.#pass(stream, this.#decoders[stream].decode(payload.subarray(1), { stream: true }));
  }

  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) this.#pass(stream, this.#decoders[stream].decode());
  }

  /** The last lines, both streams in the order in which they came. */
  get tail(): readonly string[] {
    return this.#tail
      .trimEnd()
      .split('\n')
      .slice(-tailLines)
      .filter((line, _, all) => all.length > 1 || line !== '');
  }

  #pass(stream: 'stdout' | 'stderr', text: string): void {
    if (text === '') return;
    this.#onText(stream, text);
    // Bounded by bytes as well: one endless line is no reason to hold it all.
    this.#tail = (this.#tail + text).slice(-16_384);
  }
}
