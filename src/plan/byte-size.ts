const steps = ['', 'k', 'm', 'g', 't', 'p'];

/** Bytes of a size as Docker's options take it (`64m`, `1.5GiB`, `1024`), by steps of 1024; undefined for anything else. */
export function parseByteSize(text: string): number | undefined {
  const match = /^\+?((?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,3})?) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  if (!match) return undefined;
  const bytes = Math.floor(Number(match[1]) * 1024 ** steps.indexOf((match[2] ?? '').toLowerCase()));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
