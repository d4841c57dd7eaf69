import type { Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import { formatPlatform, normalizePlatform, type Platform } from '../oci/platform.ts';
import { familiarReference, parseReference } from '../oci/reference.ts';

/** What a name stands for in place of a stage or an image: `--build-context name=…`. */
export type NamedContext =
  | { readonly kind: 'scratch' }
  /** `reference` is what the ImageResolver takes: the name of an image, or `oci-layout://…`. */
  | { readonly kind: 'image'; readonly reference: string }
  /** Files that can be copied or bound from, and that a stage may begin with. */
  | { readonly kind: 'files'; readonly vertex: Vertex<Spec> };

/** By `contextName`, which may end with `::os/architecture`. */
export type NamedContexts = ReadonlyMap<string, NamedContext>;

/** A name as it is compared: `docker.io/library/alpine:latest` is `alpine`. Throws REFERENCE_INVALID. Source: buildx, `ParseContextNames`. */
export function contextName(text: string): string {
  const [name = '', ...platform] = text.split('::');
  return [familiarReference(parseReference(name)).replace(/:latest$/, ''), ...platform].join('::');
}

/**
 * What a name of a FROM, an AS, a --from or a from= stands for. One that is given for the platform comes first. `scratch` and `context`
 * have a meaning of their own. Source: BuildKit, frontend/dockerui, `NamedContext`.
 */
export function namedContext(name: string, contexts: NamedContexts, platform: Platform): NamedContext | undefined {
  if (contexts.size === 0 || ['scratch', 'context'].includes(name.toLowerCase())) return undefined;
  const known = nameOrNothing(name);
  if (known === undefined) return undefined;
  return contexts.get(`${known}::${formatPlatform(normalizePlatform(platform))}`) ?? contexts.get(known);
}

/** What is no image name is no name of a context either; whoever looks for an image says why. */
function nameOrNothing(name: string): string | undefined {
  try {
    return contextName(name);
  } catch {
    return undefined;
  }
}
