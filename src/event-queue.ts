/** Values that may wait for a reader before `keptUp` holds back who makes more. */
const highWater = 256;

/** Passes values from where they are made to one reader, who may come late: nothing is lost. */
export class EventQueue<T> implements AsyncIterable<T> {
  #waiting: T[] = [];
  /** Made, and not yet done with by the reader. */
  #unread = 0;
  #wake: (() => void) | undefined;
  #held: (() => void)[] = [];
  #reading = false;
  #ended = false;

  push(value: T): void {
    this.#waiting.push(value);
    this.#unread++;
    this.#wake?.();
  }

  /**
   * Fulfilled when the reader has caught up: who makes much waits for it, and memory stays bounded. Where nobody has begun to read, or has
   * stopped, nobody is waited for.
   */
  async keptUp(): Promise<void> {
    while (this.#reading && !this.#ended && this.#unread > highWater) {
      await new Promise<void>((resolve) => this.#held.push(resolve));
    }
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
    this.#release();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    this.#reading = true;
    try {
      for (;;) {
        const values = this.#waiting;
        this.#waiting = [];
        for (const value of values) {
          yield value;
          this.#unread--;
          if (this.#unread <= highWater) this.#release();
        }
        if (this.#waiting.length > 0) continue;
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#reading = false;
      this.#release();
    }
  }

  #release(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }
}
