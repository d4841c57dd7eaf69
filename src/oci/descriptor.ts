import type { Digest } from './digest.ts';
import type { Platform } from './platform.ts';

/** Names a blob: what it is, its digest, its length in bytes. Source: OCI image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
}
