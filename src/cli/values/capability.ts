import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';

/** Source: the kernel's include/uapi/linux/capability.h, in its order. */
const known = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST
NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
CHECKPOINT_RESTORE`.split(/\s+/);

/** Docker's default set. */
const usual =
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE`.split(' ');

const all = 'ALL';

/** Reads `--cap-add` and `--cap-drop`: a name in any case, with or without `CAP_`, or ALL. Throws ARG_INVALID. */
export function parseCapability(text: string, option: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, '');
  if (name === all || known.includes(name)) return name;
  const near = nearest(name, [...known, all]);
  const hint = near ? `did you mean "${near}"?` : 'names are in the manual page capabilities(7)';
  throw new BuildError('ARG_INVALID', `"${option} ${text}" is no capability`, { hint });
}

/** What a container has with these added and dropped; after ALL those that there are. Source: moby, oci/caps, `TweakCapabilities`. */
export function capabilitiesWith(added: readonly string[], dropped: readonly string[]): readonly string[] {
  const kept = (names: readonly string[]): readonly string[] => names.filter((name) => !dropped.includes(name));
  const chosen = added.includes(all) ? kept(known) : dropped.includes(all) ? added : [...kept(usual), ...added];
  const names = [...new Set(chosen)].map((name) => `CAP_${name}`);
  return added.includes(all) ? [all, ...names] : names;
}
