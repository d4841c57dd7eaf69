import { BuildError } from '../diagnostics/build-error.ts';

/**
 * Reads of plain JSON whose writer is not trusted. Each names the place in its error, takes `null` as "not there" (Go writes it for
 * empty values), and throws IMAGE_INVALID for another type.
 */
export class Shape {
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #where: string;

  /** `where`: the document, and the place in it, for messages. */
  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(where, 'an object', value);
    this.#value = value as Readonly<Record<string, unknown>>;
    this.#where = where;
  }

  /** The document's root. */
  static parse(bytes: Uint8Array | string, where: string): Shape {
    let value: unknown;
    try {
      value = JSON.parse(typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new BuildError('IMAGE_INVALID', `${where} is not valid JSON`, { cause, hint: malformedHint });
    }
    return new Shape(value, where);
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  string(key: string): string | undefined {
    return this.#typed(key, 'a string', (value) => typeof value === 'string');
  }

  boolean(key: string): boolean | undefined {
    return this.#typed(key, 'true or false', (value) => typeof value === 'boolean');
  }

  /** A whole number from 0 on. */
  count(key: string): number | undefined {
    return this.#typed(key, 'a whole number', (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0);
  }

  strings(key: string): string[] | undefined {
    return this.#typed(key, 'a list of strings', (value): value is string[] => Array.isArray(value) && value.every(isString));
  }

  /** String values by name. */
  record(key: string): Record<string, string> | undefined {
    const of = (value: unknown): value is Record<string, string> => isRecord(value) && Object.values(value).every(isString);
    return this.#typed(key, 'strings by name', of);
  }

  /** Names alone, as Go writes a set: `{"80/tcp": {}}`. */
  set(key: string): Record<string, Record<string, never>> | undefined {
    const value = this.#typed(key, 'an object', isRecord);
    return value && Object.fromEntries(Object.keys(value).map((name) => [name, {}]));
  }

  object(key: string): Shape | undefined {
    const value = this.#get(key);
    return value === undefined ? undefined : new Shape(value, `${this.#where}, "${key}"`);
  }

  objects(key: string): Shape[] | undefined {
    const values = this.#typed(key, 'a list', (value): value is unknown[] => Array.isArray(value));
    return values?.map((value, at) => new Shape(value, `${this.#where}, "${key}" ${at}`));
  }

  /** What `read` gives, which must be there: `shape.required('size', (key) => shape.count(key))`. */
  required<T>(key: string, read: (key: string) => T | undefined): T {
    const value = read(key);
    if (value === undefined) throw new BuildError('IMAGE_INVALID', `${this.#where} has no "${key}"`, { hint: malformedHint });
    return value;
  }

  /** The string at `key`, which must be there and pass `test`. */
  matching<T extends string>(key: string, expected: string, test: (value: unknown) => value is T): T {
    const value = this.#get(key);
    if (!test(value)) throw malformed(`${this.#where}, "${key}"`, expected, value);
    return value;
  }

  #typed<T>(key: string, expected: string, test: (value: unknown) => value is T): T | undefined {
    const value = this.#get(key);
    if (value === undefined || test(value)) return value;
    throw malformed(`${this.#where}, "${key}"`, expected, value);
  }

  /** Own properties only: `constructor` is not there because every object inherits one. */
  #get(key: string): unknown {
    return Object.hasOwn(this.#value, key) ? (this.#value[key] ?? undefined) : undefined;
  }
}

const malformedHint = 'who made this image wrote something that is no OCI or Docker image';
const isString = (value: unknown): value is string => typeof value === 'string';
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function malformed(where: string, expected: string, found: unknown): BuildError {
  return new BuildError('IMAGE_INVALID', `${where}: expected ${expected}, found ${shown(found)}`, { hint: malformedHint });
}

/** Never what is inside of a list or an object: it may be nested deeper than any stack is high. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return JSON.stringify(value)?.slice(0, 80) ?? 'nothing';
}
