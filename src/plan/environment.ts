/**
 * The `Env` of a config. A name keeps its first place; what else a base image has (a name twice, a word without `=`) stays as it is.
 */
export class Environment {
  readonly #variables: string[];
  /** Where each name stands first. */
  readonly #places = new Map<string, number>();

  constructor(variables: readonly string[]) {
    this.#variables = [...variables];
    for (const [place, variable] of variables.entries()) {
      const [name] = splitVariable(variable);
      if (!this.#places.has(name)) this.#places.set(name, place);
    }
  }

  get variables(): readonly string[] {
    return this.#variables;
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  set(name: string, value: string): void {
    const place = this.#places.get(name) ?? this.#variables.length;
    this.#places.set(name, place);
    this.#variables[place] = `${name}=${value}`;
  }

  /** Names and values in order: of two equal names the later counts. */
  *[Symbol.iterator](): Iterator<readonly [string, string]> {
    for (const variable of this.#variables) yield splitVariable(variable);
  }
}

function splitVariable(variable: string): readonly [string, string] {
  const at = variable.indexOf('=');
  return at === -1 ? [variable, ''] : [variable.slice(0, at), variable.slice(at + 1)];
}
