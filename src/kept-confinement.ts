import { readFile } from 'node:fs/promises';
import type { SecurityOptions } from './build-options.ts';

/** What the kernel says of this process: AppArmor has a file of its own where several modules are there. */
const places = ['/proc/self/attr/apparmor/current', '/proc/self/attr/current'];

/**
 * Options ask for a container without the confinement of AppArmor or SELinux. Ours has none of its own, but it keeps what cooper itself was
 * started with, which nobody can leave: undefined where that is nothing, else what the user has to know.
 */
export async function keptConfinement(options: SecurityOptions): Promise<string | undefined> {
  if (!options.appArmor && !options.label) return undefined;
  for (const place of places) {
    // A kernel without such a module has no such file, or refuses to read it.
    const message = keptOf(await readFile(place, 'utf8').catch(() => ''), options);
    if (message !== undefined) return message;
  }
  return undefined;
}

/** What there is to say where the kernel says this of cooper: undefined where nobody asked to be without that module. */
export function keptOf(label: string, { appArmor, label: noLabel }: SecurityOptions): string | undefined {
  const kept = confinementIn(label);
  if (kept === undefined) return undefined;
  // Only AppArmor writes a mode behind the name.
  const isAppArmor = kept.endsWith(')');
  if (!(isAppArmor ? appArmor : noLabel)) return undefined;
  const option = isAppArmor ? 'apparmor=unconfined' : 'label=disable';
  return `"--security-opt ${option}": containers keep the confinement of cooper itself, "${kept}"; start cooper without it`;
}

/**
 * The profile of AppArmor or the label of SELinux that confines; undefined for one that does not. Source: aa_getprocattr (`name (mode)`),
 * SELinux's reference policy (`unconfined_t`; `spc_t` is that of containers without walls).
 */
export function confinementIn(label: string): string | undefined {
  const text = label.replace(/[\0\s]+$/, '');
  if (text === '' || text === 'unconfined' || / \((?:complain|unconfined)\)$/.test(text)) return undefined;
  return /:(?:unconfined_t|spc_t|kernel_t)(?::|$)/.test(text) ? undefined : text;
}
