import type { Permission } from '../build-options.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import type { DeviceRegistry, DeviceRequest } from './registry.ts';

/**
 * The full names of the devices that a RUN asks for and may have. Throws UNSUPPORTED for a required one that is not there, NOT_ALLOWED for one
 * that neither the user nor its specification allows. Source: BuildKit, llbsolver, `ValidateEntitlements`.
 */
export function grantDevices(
  requests: readonly DeviceRequest[],
  { registry, allow, warn }: { registry: DeviceRegistry; allow: readonly Permission[]; warn: (message: string) => void },
): readonly string[] {
  const permissions = allow.flatMap(permissionOf);
  const aliases = new Map(permissions.flatMap(({ name, alias }) => (alias === undefined ? [] : [[alias, name] as const])));
  const all = allow.includes('device');
  const named = new Set(permissions.flatMap(({ name }) => registry.find(name)));
  const granted: string[] = [];
  for (const { name, required } of requests) {
    // Whoever gives a device another name allows it by that.
    const alias = aliases.get(name);
    const found = registry.find(alias ?? name);
    if (found.length === 0 && required) throw registry.missing(alias ?? name);
    if (found.length === 0) {
      const { message, hint } = registry.missing(name);
      warn(`${message}, and the RUN that asks for it goes without: ${hint}`);
    }
    const forbidden = found.find((each) => !all && alias === undefined && !named.has(each) && !registry.isAllowed(each));
    if (forbidden !== undefined) {
      throw new BuildError('NOT_ALLOWED', `RUN asks for the device "${forbidden}", which was not allowed`, {
        hint: `if you trust this Dockerfile, build with "--allow device=${forbidden}"`,
      });
    }
    granted.push(...found);
  }
  return [...new Set(granted)];
}

/** `device=NAME[,alias=ALIAS]`. */
function permissionOf(permission: Permission): readonly { readonly name: string; readonly alias: string | undefined }[] {
  const [, value] = /^device=(.*)$/s.exec(permission) ?? [];
  if (value === undefined) return [];
  const [name = '', ...fields] = value.split(',');
  const alias = fields.map((field) => /^alias=(.*)$/s.exec(field)?.[1]).find((each) => each !== undefined);
  return [{ name, alias }];
}
