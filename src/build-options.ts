import type { Writable } from 'node:stream';
import type { NetworkMode } from './graph/spec.ts';
import type { Platform } from './oci/platform.ts';

/** What a build is made of. Paths are host paths; relative ones are resolved by the caller. */
export interface BuildOptions {
  /** The context directory, absolute. */
  readonly context: string;
  /** The Dockerfile, absolute; default `<context>/Dockerfile`, then `<context>/dockerfile`. */
  readonly dockerfile?: string;
  /** The store's root, absolute. */
  readonly root: string;
  readonly tags?: readonly string[];
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly secrets?: readonly SecretOption[];
  readonly platform?: Platform;
  readonly network?: NetworkMode;
  readonly noCache?: boolean;
  /** Asks the registry for base tags that the store already has. */
  readonly pull?: boolean;
  /** Empty: the image goes to the store only. */
  readonly outputs?: readonly OutputOption[];
  /** Where an output with the destination `-` goes; it is not closed. */
  readonly outputStream?: Writable;
  readonly push?: boolean;
  /** Environment of the caller that counts: proxy variables, SOURCE_DATE_EPOCH, DOCKER_CONFIG, HOME. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** `--secret id=…`: the value comes from a file or from an environment variable. */
export interface SecretOption {
  readonly id: string;
  readonly source: { readonly file: string } | { readonly value: string };
}

/** `--output`. `destination` is absolute, or `-` for stdout (archives only). */
export interface OutputOption {
  readonly type: 'oci' | 'docker' | 'local';
  readonly destination: string;
}
