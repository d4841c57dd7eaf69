import { here, type Installation } from './cooper.ts';
import { installForUser, whyNotRootless } from './rootless.ts';

/** A way in which cooper runs, for tests that must hold in both. */
export interface Mode {
  readonly name: 'root' | 'rootless';
  /** Why it cannot be tested here; undefined when it can. */
  readonly reason: string | undefined;
  install(): Promise<Installation & AsyncDisposable>;
}

export const modes: readonly Mode[] = [
  {
    name: 'root',
    reason: process.getuid?.() === 0 ? undefined : 'only root can',
    install: async () => ({ ...here, [Symbol.asyncDispose]: async () => {} }),
  },
  { name: 'rootless', reason: await whyNotRootless(), install: () => installForUser() },
];
