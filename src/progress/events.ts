import type { SourceRange } from '../diagnostics/source-range.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * What a build says while it runs; the public, documented event stream (`--progress json` prints one per line, docs/events.md).
 * `time` is milliseconds since the epoch; `vertex` a vertex digest, `ref` the record of the build.
 */
export type BuildEvent =
  | { readonly type: 'build.started'; readonly time: number; readonly target: string }
  /** All vertices of the graph, in the order of the Dockerfile, before any of them starts. */
  | {
      readonly type: 'plan';
      readonly time: number;
      readonly vertices: readonly { readonly vertex: Digest; readonly name: string; readonly inputs: readonly Digest[] }[];
    }
  | { readonly type: 'vertex.started'; readonly time: number; readonly vertex: Digest; readonly name: string }
  | {
      readonly type: 'vertex.output';
      readonly time: number;
      readonly vertex: Digest;
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
    }
  | {
      readonly type: 'vertex.progress';
      readonly time: number;
      readonly vertex: Digest;
      readonly what: string;
      readonly current: number;
      readonly total?: number;
    }
  | { readonly type: 'vertex.completed'; readonly time: number; readonly vertex: Digest; readonly cached: boolean }
  | { readonly type: 'vertex.failed'; readonly time: number; readonly vertex: Digest; readonly message: string }
  | {
      readonly type: 'warning';
      readonly time: number;
      readonly message: string;
      readonly code?: string;
      readonly range?: SourceRange;
      /** Of a rule of the linter: its name, what it asks for, and where that is described. */
      readonly rule?: string;
      readonly description?: string;
      readonly url?: string;
    }
  /** Work outside the graph: exporting, pushing a layer. `id` groups started, progress, and completed or failed. */
  | { readonly type: 'task.started'; readonly time: number; readonly id: string; readonly name: string }
  | { readonly type: 'task.progress'; readonly time: number; readonly id: string; readonly current: number; readonly total?: number }
  | { readonly type: 'task.completed'; readonly time: number; readonly id: string }
  | { readonly type: 'task.failed'; readonly time: number; readonly id: string; readonly message: string }
  | {
      readonly type: 'build.completed';
      readonly time: number;
      readonly digest?: Digest;
      readonly configDigest?: Digest;
      readonly tags: readonly string[];
    }
  | {
      readonly type: 'build.failed';
      readonly time: number;
      readonly code: string;
      readonly message: string;
      /** As in the BuildError that the build ends with: what `--progress json` has to say is all in its events. */
      readonly range?: SourceRange;
      readonly hint?: string;
      readonly notes?: readonly string[];
    };
