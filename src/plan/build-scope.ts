import type { Range } from '../../grammar/ast.ts';
import type { Permission } from '../build-options.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import type { DevicesSpec, HostSpec, HttpSpec, NetworkMode, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { Platform } from '../oci/platform.ts';
import type { ExpansionBudget } from './expansion.ts';
import type { Linter } from './lint/linter.ts';
import type { NamedContexts } from './named-contexts.ts';

/** What all stages of one build share. */
export interface BuildScope {
  readonly file: string;
  readonly text: string;
  readonly escape: '\\' | '`';
  readonly budget: ExpansionBudget;
  readonly buildArgs: ReadonlyMap<string, string>;
  /** Values of the ARGs before the first FROM, and of the automatic ones. */
  readonly globalArgs: ReadonlyMap<string, string>;
  /** `NAME=value` of the predefined proxy variables, in both cases. */
  readonly proxyEnv: readonly string[];
  readonly network: NetworkMode;
  /** That of RUN, where the build chooses one. */
  readonly hostname: string | undefined;
  /** What the user allows besides the usual. */
  readonly allow: readonly Permission[];
  readonly grantDevices: (asked: DevicesSpec['asked']) => readonly string[];
  readonly targetPlatform: Platform;
  /** SOURCE_DATE_EPOCH, in seconds. */
  readonly epoch?: number;
  /** The build context. */
  readonly context: Vertex<Spec>;
  /** What it was fetched from, when that is not its vertex. */
  readonly contextOrigin: HttpSpec | undefined;
  readonly namedContexts: NamedContexts;
  readonly hosts: readonly HostSpec[];
  /** Lower case. */
  readonly noCacheFilter: ReadonlySet<string>;
  /** Is shown each thing as it is read. */
  readonly linter?: Linter;
  readonly onHistory?: (createdBy: string, range: SourceRange) => void;
}

/** The part of it that is known before any stage is read. */
export type FileScope = Pick<BuildScope, 'file' | 'text' | 'escape' | 'budget'>;

/** A range of the AST as a range of the file that it was read from. */
export const sourceRange = ({ file, text }: Pick<BuildScope, 'file' | 'text'>, { start, end }: Range): SourceRange => ({
  file,
  text,
  start,
  end,
});
