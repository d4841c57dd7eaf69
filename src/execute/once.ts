/** Calls once and gives every caller what came of it; a call that failed is made again. */
export function once<T>(call: (signal: AbortSignal) => Promise<T>): (signal: AbortSignal) => Promise<T> {
  let running: Promise<T> | undefined;
  return (signal) => {
    running ??= call(signal).catch((error) => {
      running = undefined;
      throw error;
    });
    return running;
  };
}
