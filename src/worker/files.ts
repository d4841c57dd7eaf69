// What messages say of files and layers; protocol.ts has the rest.

import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID } from '../oci/digest.ts';

/** A snapshot that this worker holds in this session and that may have no diffID yet: `snap:7`. Known to this worker only, until it ends. */
export type SnapshotID = `snap:${number}`;

/** A layer of the store by diffID, or a snapshot of this session. */
export type LayerRef = DiffID | SnapshotID;

/** A filesystem: its layers, base first. Empty is scratch. */
export type Chain = readonly LayerRef[];

/** Where a layer's bytes are, when it has to be unpacked. The builder knows (layers/ in the store); the worker trusts the digest only. */
export interface LayerBlob {
  readonly diffID: DiffID;
  readonly descriptor: Descriptor;
}

/** What is copied or bound from. */
export type Source =
  | { readonly kind: 'handle'; readonly handle: string; readonly ignore: readonly IgnoreRule[] }
  | { readonly kind: 'chain'; readonly chain: Chain }
  | { readonly kind: 'inline'; readonly files: readonly { readonly name: string; readonly text: string; readonly mode: number }[] };

/** One line of a .dockerignore, cleaned (src/context/ignore-file.ts): no leading `/`, no `!`. The last match wins. */
export interface IgnoreRule {
  readonly pattern: string;
  readonly negated: boolean;
  /** Counts from 1. */
  readonly line: number;
}

/** Which files of a source: as COPY and ADD read their sources. */
export interface Selection {
  readonly source: Source;
  /** Patterns as written: may begin with `/` or `./`, hold wildcards (Go filepath.Match), `..` is clamped to the root. */
  readonly sources: readonly string[];
  readonly exclude: readonly string[];
  readonly parents: boolean;
  readonly unpack: boolean;
}

/** What is known of one layer, once it is packed or unpacked. */
export interface PackedLayer {
  readonly diffID: DiffID;
  /** Length of the uncompressed tar. */
  readonly size: number;
  /** Entries in the tar: 0 is an empty layer. */
  readonly entries: number;
  /** The compressed form, when it was asked for. */
  readonly blob?: Descriptor;
}

export type LayerForm = 'gzip' | 'none';

export interface FileAttributes {
  /** `name`, `uid`, `name:group`, …, looked up in the parent's /etc/passwd and /etc/group. */
  readonly chown?: string;
  readonly chmod?: string;
}
