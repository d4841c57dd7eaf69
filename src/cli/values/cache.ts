import { resolve } from 'node:path';
import type { CacheFromOption, CachePlace, CacheToOption } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { nearest } from '../../diagnostics/suggest.ts';
import { parseReference } from '../../oci/reference.ts';
import type { Caller } from '../caller.ts';
import { parseFields } from './fields.ts';

/** Types of buildx: caches of layers. */
const layerCaches = ['registry', 'local', 'inline', 'gha', 's3', 'azblob'];
const layersHint = 'layers are kept in the store only: keep --root between builds; what can be carried are cache mounts, with type=mounts';

/** Reads `--cache-to type=mounts,dest=FILE` or `ref=NAME`. Throws ARG_INVALID, REFERENCE_INVALID, UNSUPPORTED. */
export function parseCacheTo(text: string, caller: Pick<Caller, 'directory'>): CacheToOption {
  const option = new CacheArgument('--cache-to', text, ['dest', 'ref', 'ids', 'on-failure', 'ignore-error']);
  const place = option.place('dest', caller.directory);
  return {
    ...{ type: 'mounts', place },
    ...option.ids(),
    ...(option.isOn('on-failure') && { onFailure: true }),
    ...(option.isOn('ignore-error') && { ignoreError: true }),
  };
}

/** Reads `--cache-from type=mounts,src=FILE` or `ref=NAME`. Throws ARG_INVALID, REFERENCE_INVALID, UNSUPPORTED. */
export function parseCacheFrom(text: string, caller: Pick<Caller, 'directory'>): CacheFromOption {
  const option = new CacheArgument('--cache-from', text, ['src', 'ref', 'ids', 'mode']);
  const place = option.place('src', caller.directory);
  const mode = option.value('mode') ?? 'keep';
  if (mode !== 'keep' && mode !== 'replace') {
    throw option.bad(
      `has the unknown mode "${mode}"`,
      'with mode=replace what is fetched takes the place of what is here; mode=keep is the default',
    );
  }
  return { type: 'mounts', place, ...option.ids(), ...(mode === 'replace' && { replace: true }) };
}

class CacheArgument {
  readonly #option: string;
  readonly #text: string;
  readonly #fields: ReadonlyMap<string, string | undefined>;
  readonly #usage: string;

  constructor(option: string, text: string, keys: readonly string[]) {
    this.#option = option;
    this.#text = text;
    this.#usage = `write ${option} type=mounts,ref=REGISTRY/NAME:TAG or ${option} type=mounts,${keys[0]}=FILE.tar`;
    // The short form is the name of an image whose layers are taken.
    if (!text.includes('='))
      throw new BuildError('UNSUPPORTED', `"${option} ${text}", a cache of layers, is not there`, { hint: layersHint });
    this.#fields = parseFields(text, option);
    this.#checkType();
    for (const key of this.#fields.keys()) {
      if (key === 'type' || keys.includes(key)) continue;
      const near = nearest(key, keys);
      throw this.bad(`has the unknown field "${key}"`, near ? `did you mean "${near}"?` : this.#usage);
    }
  }

  place(file: string, directory: string): CachePlace {
    const [path, reference] = [this.value(file), this.value('ref')];
    if (path !== undefined && reference !== undefined) throw this.bad('names both a file and a registry');
    if (reference !== undefined) {
      parseReference(reference);
      return { reference };
    }
    if (path === undefined) throw this.bad('names no place');
    return { file: resolve(directory, path) };
  }

  /** Undefined where it is not there; empty is refused. */
  value(key: string): string | undefined {
    if (!this.#fields.has(key)) return undefined;
    const value = this.#fields.get(key);
    if (!value) throw this.bad(`has an empty "${key}"`);
    return value;
  }

  isOn(key: string): boolean {
    if (!this.#fields.has(key)) return false;
    const value = this.#fields.get(key) ?? 'true';
    if (value !== 'true' && value !== 'false') throw this.bad(`has a "${key}" that is neither true nor false`);
    return value === 'true';
  }

  /** An id may itself hold a colon: then it counts as a whole, too. */
  ids(): { readonly ids?: readonly string[] } {
    const text = this.value('ids');
    return text === undefined ? {} : { ids: [...new Set([text, ...text.split(':').filter(Boolean)])] };
  }

  bad(why: string, hint = this.#usage): BuildError {
    return new BuildError('ARG_INVALID', `"${this.#option} ${this.#text}" ${why}`, { hint });
  }

  #checkType(): void {
    const type = this.value('type');
    if (type === 'mounts') return;
    if (type !== undefined && layerCaches.includes(type))
      throw new BuildError('UNSUPPORTED', `"${this.#option} type=${type}", a cache of layers, is not there`, { hint: layersHint });
    throw this.bad(type === undefined ? 'has no type' : `has the unknown type "${type}"`);
  }
}
