import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpResponse } from './transport.ts';

export interface RetryOptions {
  /** How often a request is sent at most. */
  readonly attempts: number;
  /** The first wait; each further one is twice as long. Half of each is random, so that many clients don't come back together. */
  readonly baseMs: number;
}

export const defaultRetry: RetryOptions = { attempts: 4, baseMs: 200 };

/** A registry that asks for a longer wait is taken to have refused. */
const maxWaitMs = 30_000;

const transientStatus = new Set([408, 429, 500, 502, 503, 504]);
const transientCodes = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

/** Whether the same request may well succeed a moment later: the connection broke, which says nothing of the registry. */
export function isTransient(error: unknown): boolean {
  return error instanceof Error && 'code' in error && transientCodes.has(String(error.code));
}

/**
 * Sends a request until an answer comes that another try would not change, or the attempts are used up; then gives the last answer or
 * error as it is. `send` must be able to send the same again.
 */
export async function retrying(
  send: () => Promise<HttpResponse>,
  { attempts, baseMs }: RetryOptions,
  signal: AbortSignal,
): Promise<HttpResponse> {
  for (let attempt = 1; ; attempt++) {
    const last = attempt >= attempts;
    let waitMs: number | undefined;
    try {
      const response = await send();
      if (last || !transientStatus.has(response.status)) return response;
      waitMs = retryAfter(response.header('retry-after'));
      if (waitMs !== undefined && waitMs > maxWaitMs) return response;
      await response.discard();
    } catch (error) {
      if (last || signal.aborted || !isTransient(error)) throw error;
    }
    await pause(waitMs ?? backOff(attempt, baseMs), signal);
  }
}

/** Milliseconds to wait after the `attempt`th try, counted from 1. */
export function backOff(attempt: number, baseMs: number): number {
  const full = Math.min(baseMs * 2 ** (attempt - 1), maxWaitMs);
  return full / 2 + (Math.random() * full) / 2;
}

/** Seconds or a date, as milliseconds from now. Source: RFC 9110, 10.2.3. */
export function retryAfter(value: string | undefined, now: number = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // Date.parse reads nearly anything; every form of an HTTP date begins with a day's name.
  const date = /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Waits. Throws the signal's own reason when it is aborted. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted());
}
