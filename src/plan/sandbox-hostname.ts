import { BuildError } from '../diagnostics/build-error.ts';

/** The build argument that names the host of RUN, without any ARG. It goes into /etc/hosts too. */
export function sandboxHostname(buildArgs: ReadonlyMap<string, string>): string | undefined {
  const name = buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME');
  if (!name) return undefined;
  if (/^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/.test(name)) return name;
  throw new BuildError('ARG_INVALID', `"${name}" cannot be the name of a host`, {
    hint: 'BUILDKIT_SANDBOX_HOSTNAME has letters, digits, "-", "_" and ".", and at most 64 of them',
  });
}
