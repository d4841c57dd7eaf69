import { normalizePlatform, type Platform } from '../oci/platform.ts';

/**
 * What was asked for goes before what the base says. Where both are of one system and architecture, the base's variant and version stay
 * if there are no others; features always do. Source: BuildKit, `finalizeResultImage`.
 */
export function imagePlatform(own: Platform, asked: Platform | undefined): Platform {
  if (!asked) return normalizePlatform(own);
  const sameKind = asked.os === own.os && asked.architecture === own.architecture;
  const { variant: _variant, 'os.version': _version, ...kept } = own;
  return normalizePlatform({ ...(sameKind ? own : kept), ...asked });
}
