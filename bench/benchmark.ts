import type { Measured } from './measure.ts';
import type { Workspace } from './workspace.ts';

/** One thing that is compared. The first of `measured` is ours; ratios are to it. */
export interface Comparison {
  readonly title: string;
  /** What one sample is the time of. */
  readonly unit: string;
  readonly measured: readonly Measured[];
}

/** Measures, and gives one comparison or more. */
export type Benchmark = (workspace: Workspace) => Promise<readonly Comparison[]>;
