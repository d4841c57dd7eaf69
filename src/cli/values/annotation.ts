import type { AnnotationOption } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import { type Platform, parsePlatform } from '../../oci/platform.ts';

const scopes = ['manifest', 'manifest-descriptor', 'index', 'index-descriptor'] as const;
const form = 'it is written --annotation [SCOPE:]NAME=VALUE, as in "manifest:org.opencontainers.image.title=app"';

/**
 * Reads `--annotation [scope[platform],…:]name=value`: one for each scope; without any it is `manifest`. Throws ARG_INVALID, and UNSUPPORTED
 * for the scopes of an index. Source: buildx, `ParseAnnotations`.
 */
export function parseAnnotation(text: string): readonly AnnotationOption[] {
  const equals = text.indexOf('=');
  const key = text.slice(0, Math.max(equals, 0));
  if (equals < 0) throw bad(text, 'has no value', form);
  const colon = key.indexOf(':');
  const name = key.slice(colon + 1);
  const value = text.slice(equals + 1);
  if (name.trim() === '') throw bad(text, 'has no name', form);
  if (colon < 0) return [{ scope: 'manifest', name, value }];
  return key
    .slice(0, colon)
    .split(',')
    .map((place) => ({ ...parsePlace(place, text), name, value }));
}

function parsePlace(place: string, text: string): Pick<AnnotationOption, 'scope' | 'platform'> {
  const match = /^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$/.exec(place);
  if (!match) throw bad(text, `has the scope "${place}", which is not well formed`, 'a scope is "manifest" or "manifest[linux/amd64]"');
  const scope = scopes.find((known) => known === match[1]);
  if (!scope) {
    const near = nearest(match[1] ?? '', scopes);
    throw bad(text, `has the unknown scope "${match[1]}"`, near ? `did you mean "${near}"?` : `scopes are ${scopes.join(', ')}`);
  }
  if (scope === 'index' || scope === 'index-descriptor') {
    throw new BuildError('UNSUPPORTED', `"--annotation ${text}" is for an index, and an image of one platform has none`, {
      hint: 'use the scope "manifest", or "manifest-descriptor" for where the image is listed',
    });
  }
  return { scope, ...(match[2] !== undefined && { platform: platformIn(match[2], text) }) };
}

function platformIn(place: string, text: string): Platform {
  try {
    return parsePlatform(place);
  } catch (cause) {
    if (!(cause instanceof BuildError)) throw cause;
    throw bad(text, `has a scope for "${place}", which is not a platform`, cause.hint ?? 'a platform is "linux/amd64"');
  }
}

const bad = (text: string, why: string, hint: string): BuildError =>
  new BuildError('ARG_INVALID', `"--annotation ${text}" ${why}`, { hint });
