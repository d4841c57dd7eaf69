import { BuildError } from '../../diagnostics/build-error.ts';

/** Reads `--cgroup-parent`: a path from the root of the machine's cgroups, with or without `/` before it. Throws ARG_INVALID or UNSUPPORTED. */
export function parseCgroupParent(text: string): string {
  const names = text.split('/').filter((name) => name !== '' && name !== '.');
  if (names.length === 0 || names.includes('..') || text.includes('\0') || text.includes('\n')) {
    throw new BuildError('ARG_INVALID', `"--cgroup-parent ${text}" is no cgroup`, {
      hint: 'write a path from the root of the cgroups, as in "/ci/builds"',
    });
  }
  // `system.slice:prefix:name` is for systemd, which makes the cgroup then.
  if (text.includes(':')) {
    throw new BuildError('UNSUPPORTED', `"--cgroup-parent ${text}" asks systemd for a cgroup`, {
      hint: 'start cooper itself with "systemd-run --scope --slice=NAME"',
    });
  }
  return `/${names.join('/')}`;
}
