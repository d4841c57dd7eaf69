import type { Caller } from './caller.ts';

/** One option of a command: how it is written, what help says, what it does. Parsing, help and error messages come from it. */
export type Flag<Options> = Switch<Options> | ValueFlag<Options> | OptionalFlag<Options>;

interface Named {
  /** Without the dashes: `no-cache`. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** Lower case, no full stop. */
  readonly help: string;
}

/** `--name`, `--name=false`, `--no-name`. */
export interface Switch<Options> extends Named {
  readonly value?: undefined;
  readonly optional?: undefined;
  readonly set: (options: Options, on: boolean, caller: Caller) => void;
}

/** `--name VALUE`, `--name=VALUE`, `-nVALUE`. Given several times, `set` is called for each, in order. */
export interface ValueFlag<Options> extends Named {
  /** What stands for the value in help: `NAME[:TAG]`. */
  readonly value: string;
  readonly optional?: undefined;
  /** Throws ARG_INVALID, or what fits better, for a bad value. */
  readonly set: (options: Options, text: string, caller: Caller) => void;
}

/** `--name` or `--name=VALUE`; what follows as a word of its own is not its value. */
export interface OptionalFlag<Options> extends Named {
  readonly value: string;
  readonly optional: true;
  readonly set: (options: Options, text: string | undefined, caller: Caller) => void;
}

/** As help and docs show it: `-t, --tag NAME[:TAG]`, without the first part where it has no short name. */
export function usageOf({ name, short, value, optional }: Flag<never>): string {
  const shown = value === undefined ? '' : optional ? `[=${value}]` : ` ${value}`;
  return `${short ? `-${short}, ` : ''}--${name}${shown}`;
}

/** An option that other builders have and that is not there yet: it is refused with what to do instead, never ignored. */
export interface Unavailable {
  readonly name: string;
  readonly short?: string;
  /** What to use instead. */
  readonly hint: string;
  /** UNKNOWN_OPTION unless said. */
  readonly code?: 'UNSUPPORTED';
}

/** What a switch does that is nothing but a field of the options. */
export function sets<Name extends string>(name: Name): (options: Record<Name, boolean>, on: boolean) => void {
  return (options, on) => {
    options[name] = on;
  };
}
