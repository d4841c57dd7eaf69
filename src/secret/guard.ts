import { MaskedTexts } from './masked-texts.ts';

/** How a secret may be written, as the worker says it (`secret.put`). */
export interface SecretPatterns {
  readonly id: string;
  /** `scan=false`: it may stand in what is built, but is not shown. */
  readonly scan: boolean;
  readonly forms: readonly Buffer[];
  readonly lines: readonly Buffer[];
}

/** Fields whose values are ours: digests, kinds, codes. They are left as they are, or nobody could tell steps apart. */
const ownFields = new Set(['type', 'time', 'vertex', 'inputs', 'digest', 'configDigest', 'code', 'rule', 'stream']);

/** What is shown of a secret; its length is not told. */
const shown = '***';

/** Knows the secrets of a build, and keeps them out of what is shown and out of what is written. */
export class SecretGuard {
  #patterns: readonly SecretPatterns[] = [];
  #texts = new MaskedTexts([]);

  know(patterns: readonly SecretPatterns[]): void {
    this.#patterns = patterns;
    this.#texts = new MaskedTexts(patterns.flatMap(({ forms, lines }) => [...forms, ...lines]));
  }

  /** There are no secrets: nothing can be found. */
  get knowsNothing(): boolean {
    return this.#patterns.length === 0;
  }

  /** The id of a secret that stands in this; undefined where there is none. */
  find(content: string | Uint8Array): string | undefined {
    if (this.knowsNothing) return undefined;
    const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    return this.#patterns.find(({ scan, forms }) => scan && forms.some((form) => bytes.includes(form)))?.id;
  }

  mask(text: string): string {
    return this.#texts.replace(text, () => shown);
  }

  /** An event without secrets. The output of steps is masked where it is read, in the worker. */
  maskEvent<Event extends { readonly type: string }>(event: Event): Event {
    return this.#texts.isEmpty || event.type === 'vertex.output' ? event : (this.#maskValue(event) as Event);
  }

  /** The error itself, with no secret in any of its texts or in those of its causes. */
  maskError(error: unknown): unknown {
    if (!this.#texts.isEmpty) this.#maskInPlace(error, new Set());
    return error;
  }

  /** The variables that hold no secret: for other programs. */
  withoutSecrets<Value extends string | undefined>(environment: Readonly<Record<string, Value>>): Record<string, Value> {
    return Object.fromEntries(Object.entries(environment).filter(([, value]) => value === undefined || this.mask(value) === value));
  }

  #maskValue(value: unknown, key = ''): unknown {
    if (typeof value === 'string') return this.#maskField(key, value);
    if (Array.isArray(value)) return value.map((each) => this.#maskValue(each));
    if (!isPlain(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, ownFields.has(name) ? each : this.#maskValue(each, name)]),
    );
  }

  /** The text of a file keeps its lines: places in it are told by their numbers. */
  #maskField(key: string, text: string): string {
    return key === 'text' ? this.#texts.replace(text, (secret) => shown + '\n'.repeat(secret.split('\n').length - 1)) : this.mask(text);
  }

  /** In place, because what is thrown is known by its class. */
  #maskInPlace(value: unknown, seen: Set<object>): void {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    if (!(value instanceof Error || Array.isArray(value) || isPlain(value))) return;
    seen.add(value);
    for (const name of Object.getOwnPropertyNames(value)) {
      const property = Object.getOwnPropertyDescriptor(value, name);
      const content: unknown = Reflect.get(value, name);
      if (typeof content !== 'string') this.#maskInPlace(content, seen);
      else if (property?.configurable || property?.writable) this.#replace(value, name, content);
    }
  }

  #replace(holder: object, name: string, content: string): void {
    const masked = this.#maskField(name, content);
    if (masked !== content) Object.defineProperty(holder, name, { value: masked });
  }
}

/** Not a socket, a stream or a class of ours: those are left alone. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
