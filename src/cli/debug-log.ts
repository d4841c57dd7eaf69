import { printable } from '../diagnostics/printable.ts';
import { type Found, sessions } from '../session.ts';
import type { Caller } from './caller.ts';

/** `--debug-log`: until it is disposed of, tells of each session what was chosen on this machine, and why not more. */
export function logSessions({ writeMessage }: Pick<Caller, 'writeMessage'>): Disposable {
  const tell = (found: unknown): void => {
    for (const line of linesOf(found as Found)) writeMessage(`debug: ${printable(line)}\n`);
  };
  sessions.subscribe(tell);
  return { [Symbol.dispose]: () => sessions.unsubscribe(tell) };
}

/** The same facts as `cooper doctor` has: nothing of what the session is for, so no secret can be in them. */
function linesOf({ root, info: { mode, reason, snapshotter }, checks }: Found): string[] {
  const because = reason === '' ? '' : ` (${reason})`;
  const lines = checks.map(({ name, state, detail, hint }) => `${name}: ${state}: ${detail}${hint === undefined ? '' : `; hint: ${hint}`}`);
  return [`store ${root}: mode ${mode}${because}, snapshots by ${snapshotter}`, ...lines];
}
