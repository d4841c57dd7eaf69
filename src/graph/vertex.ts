import type { SourceRange } from '../diagnostics/source-range.ts';
import type { Digest } from '../oci/digest.ts';
import { digestOf } from '../oci/digest.ts';

/** One operation of the build graph, with its inputs. Plain data: it can be printed and compared. */
export interface Vertex<Spec> {
  /** Of `spec` and all inputs. Equal digests run once in a build; a tag may move, so it is no cache key. */
  readonly digest: Digest;
  readonly inputs: readonly Vertex<Spec>[];
  readonly spec: Spec;
  /** For progress and errors only; never part of `digest`. */
  readonly name: string;
  /** The instruction that asked for it; undefined for what no line of the Dockerfile names. Never part of `digest`. */
  readonly origin: SourceRange | undefined;
}

/** Makes a vertex: `spec` must be plain data (JSON) whose keys stand in a fixed order. */
export function vertex<Spec>(spec: Spec, inputs: readonly Vertex<Spec>[], name: string, origin?: SourceRange): Vertex<Spec> {
  const digest = digestOf(JSON.stringify([spec, inputs.map((input) => input.digest)]));
  return { digest, inputs, spec, name, origin };
}

/** The input at this place. Throws where there is none: a defect of the planner. */
export function inputAt<Spec>({ inputs, name }: Vertex<Spec>, index: number): Vertex<Spec> {
  const input = inputs[index];
  if (!input) throw new Error(`"${name}" has no input ${index}`);
  return input;
}
