import { accessSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SecurityOptions } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import type { Caller } from '../caller.ts';

const names = ['seccomp', 'no-new-privileges', 'systempaths', 'apparmor', 'label'] as const;

/**
 * Reads `--security-opt` into what is asked for already: the last one of a kind counts. A colon may stand for the `=`, as of old. Throws
 * ARG_INVALID for what nobody knows, UNSUPPORTED for what cannot be done here. Source: moby, daemon, `parseSecurityOpt`.
 */
export function parseSecurityOption(text: string, { directory }: Pick<Caller, 'directory'>): SecurityOptions {
  const [, name = '', value] = /^([a-z-]*)(?:[=:](.*))?$/s.exec(text) ?? [];
  const known = names.find((each) => each === name);
  if (!known) {
    const near = nearest(name || text, names);
    const hint = near ? `did you mean "${near}"?` : `write one of ${names.join(', ')}`;
    throw new BuildError('ARG_INVALID', `"--security-opt ${text}" is nothing that we know`, { hint });
  }
  if (known === 'no-new-privileges') return { noNewPrivileges: parseSwitch(text, value) };
  if (!value) throw new BuildError('ARG_INVALID', `"--security-opt ${text}" has no value`, { hint: `write ${known}=VALUE` });
  return readers[known](value, directory);
}

const readers: Readonly<
  Record<Exclude<(typeof names)[number], 'no-new-privileges'>, (value: string, directory: string) => SecurityOptions>
> = {
  seccomp(value, directory) {
    if (value === 'unconfined') return { seccomp: 'unconfined' };
    return { seccomp: value === 'builtin' ? 'default' : { file: resolve(directory, value) } };
  },
  systempaths(value) {
    if (value === 'unconfined') return { systemPaths: 'unconfined' };
    throw new BuildError('ARG_INVALID', `"--security-opt systempaths=${value}" is nothing that we know`, {
      hint: 'write systempaths=unconfined',
    });
  },
  apparmor(value) {
    if (value === 'unconfined') return { appArmor: 'unconfined' };
    throw refuse(`apparmor=${value}`, 'AppArmor', hasAppArmor(), 'apparmor=unconfined');
  },
  label(value) {
    if (value === 'disable') return { label: 'disable' };
    throw refuse(`label=${value}`, 'SELinux', isThere('/sys/fs/selinux/enforce'), 'label=disable');
  },
};

function parseSwitch(text: string, value = 'true'): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw new BuildError('ARG_INVALID', `"--security-opt ${text}" is neither true nor false`, { hint: 'write no-new-privileges' });
}

function refuse(option: string, module: string, isOn: boolean, without: string): BuildError {
  const why = isOn ? `cooper gives no container a confinement of ${module} of its own` : `this kernel has no ${module}`;
  const hint = isOn ? `start cooper itself with it: containers keep it; else write ${without}` : `leave it out, or write ${without}`;
  return new BuildError('UNSUPPORTED', `"--security-opt ${option}": ${why}`, { hint });
}

function hasAppArmor(): boolean {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
  } catch {
    // A kernel that was made without it.
    return false;
  }
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
