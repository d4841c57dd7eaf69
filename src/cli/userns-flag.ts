import type { UserNamespace } from '../worker/protocol.ts';
import type { Flag } from './flag.ts';
import { parseUserNamespace } from './values/userns.ts';

/** Which ids containers of root have, as `cooper build` and `cooper run` take it. */
export interface UserNamespaceFlag {
  userns?: UserNamespace;
}

export const usernsFlag: Flag<UserNamespaceFlag> = {
  name: 'userns',
  value: 'MODE',
  help: "ids of containers, as root: auto (other than the machine's where that works; default) or host (or COOPER_USERNS)",
  set: (options, text) => {
    options.userns = parseUserNamespace(text);
  },
};

/** What was asked for, by the flag or else by the variable. Throws ARG_INVALID. */
export function usernsOf(
  { userns }: UserNamespaceFlag,
  { COOPER_USERNS: variable }: Readonly<Record<string, string | undefined>>,
): UserNamespace | undefined {
  return userns ?? (variable ? parseUserNamespace(variable, 'COOPER_USERNS') : undefined);
}
