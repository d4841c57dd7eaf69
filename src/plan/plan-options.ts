import type { Permission } from '../build-options.ts';
import type { SourceRange } from '../diagnostics/source-range.ts';
import type { DevicesSpec, GitSpec, HostSpec, HttpSpec, NetworkMode, Spec } from '../graph/spec.ts';
import type { Vertex } from '../graph/vertex.ts';
import type { Platform } from '../oci/platform.ts';
import type { Linter } from './lint/linter.ts';
import type { NamedContexts } from './named-contexts.ts';

/** The part of BuildOptions that the planner needs. */
export interface PlanOptions {
  /** A stage's name or index; the last stage without it. */
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** The platform asked for. Without it the image has the platform of its base, and bases are looked up for `buildPlatform`. */
  readonly platform?: Platform;
  /** The platform of this machine; the default is what Node says. */
  readonly buildPlatform?: Platform;
  readonly network?: NetworkMode;
  /** The build context, where it is no directory of the host's called `context`. */
  readonly mainContext?: Vertex<Spec>;
  /** Where the files of the build context were unpacked from. */
  readonly contextOrigin?: HttpSpec;
  readonly namedContexts?: NamedContexts;
  /** `--add-host`: lines of /etc/hosts in every RUN. */
  readonly hosts?: readonly HostSpec[];
  /** What a RUN may ask for besides the usual. */
  readonly allow?: readonly Permission[];
  /** Names of stages whose steps are run again. */
  readonly noCacheFilter?: readonly string[];
  /** Environment of the caller that counts: proxy variables, SOURCE_DATE_EPOCH. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** When a source that is fetched was made, in seconds since 1970; undefined where nothing says so. For SOURCE_DATE_EPOCH. */
  readonly sourceTime?: (source: HttpSpec | GitSpec, signal: AbortSignal) => Promise<number | undefined>;
  /** Full names of the devices that a RUN asks for and may have; throws where it may not. Without it none is given, as where nothing is run. */
  readonly grantDevices?: (asked: DevicesSpec['asked']) => readonly string[];
  /** Looks on, and may end the plan with LINT_FAILED. */
  readonly linter?: Linter;
  /** Is shown each row of a history as it is made, with the place that asks for it. May throw. */
  readonly onHistory?: (createdBy: string, range: SourceRange) => void;
  /** Lowers every stage, needed or not. */
  readonly allStages?: boolean;
}
