/** Passes values from where they are made to one reader, who may come late: nothing is lost, and nobody waits for the reader. */
export class EventQueue<T> implements AsyncIterable<T> {
  #waiting: T[] = [];
  #wake: (() => void) | undefined;
  #ended = false;

  push(value: T): void {
    this.#waiting.push(value);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      const values = this.#waiting;
      this.#waiting = [];
      yield* values;
      if (this.#waiting.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
