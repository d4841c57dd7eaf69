import type { Dockerfile, Instruction } from '../../../grammar/ast.ts';
import type { Expansion } from '../../../grammar/words/expand.ts';
import type { Platform } from '../../oci/platform.ts';
import type { Section, Stage } from '../stages.ts';
import type { Step } from '../step.ts';

/** Lines of the Dockerfile, both inclusive, from 1. */
export interface Lines {
  readonly first: number;
  readonly last: number;
}

/** Tells of one violation. */
export type Report = (message: string, lines: Lines) => void;

/**
 * One rule. It has a hook for each moment at which it looks; their order is that in which BuildKit finds things, so that a file with an
 * error gives the same warnings before it.
 */
export interface Rule {
  /** What `check=skip=` names, and the name of its page in docs/rules. */
  readonly name: string;
  /** What the rule asks for, in one sentence. */
  readonly description: string;
  /** Where BuildKit describes it; of our own rules, the page in docs/rules. */
  readonly url?: string;
  /** Off unless `check=experimental=` names it. */
  readonly experimental?: true;
  /** A rule that BuildKit does not have. It never fails a build: with `check=error=true` the same files build as with `docker build`. */
  readonly own?: true;
  /** The text, as soon as it is read. */
  readonly text?: (dockerfile: Dockerfile, report: Report) => void;
  /** Each instruction, up to the first that is wrong. */
  readonly instruction?: (instruction: Instruction, report: Report) => void;
  /** The file as a whole, when it has no error that the grammar knows. */
  readonly file?: (file: FileView, report: Report) => void;
  /** Each FROM, needed or not. */
  readonly from?: (from: FromView, report: Report) => void;
  /** Each base image that was found. */
  readonly base?: (base: BaseView, report: Report) => void;
  /** Each instruction of a stage that is built, before its effect. */
  readonly step?: (step: StepView, report: Report) => void;
}

export interface FileView {
  readonly sections: readonly Section[];
  /** The global ARGs as they are without any --build-arg; undefined where a default cannot be expanded. */
  readonly defaults: ReadonlyMap<string, string> | undefined;
  readonly escape: '\\' | '`';
}

export interface FromView {
  readonly from: Instruction;
  /** The base and the platform, expanded; `used` are the variables that had a value. */
  readonly base: UsedExpansion;
  readonly platform: UsedExpansion | undefined;
  /** Global ARGs, with a value or without. */
  readonly declared: ReadonlySet<string>;
  readonly targetPlatform: string | undefined;
}

export interface UsedExpansion extends Expansion {
  readonly used: ReadonlySet<string>;
}

export interface BaseView {
  /** As the Dockerfile names it, variables expanded. */
  readonly name: string;
  readonly expected: Platform;
  readonly actual: { readonly os?: string; readonly architecture?: string; readonly variant?: string };
  readonly lines: Lines;
}

export interface StepView extends Pick<Step, 'instruction' | 'state' | 'build'> {
  readonly stage: Stage;
  /** Of the instruction; of the FROM for a trigger of its base. */
  readonly lines: Lines;
  readonly isTrigger: boolean;
  /** The last instruction of each name that stands before it in this stage. */
  readonly earlier: ReadonlyMap<string, Lines>;
  /** Whether WORKDIR was set before it, in this stage or in one that it is based on. */
  readonly hasWorkdir: boolean;
  /** False where the base image could not be looked at: its variables are not known. */
  readonly baseIsKnown: boolean;
  /** Patterns of the ignore file. */
  readonly ignored: readonly IgnorePattern[];
  /** With the variables as they are before the instruction. */
  expand(word: string, quotes?: 'remove' | 'keep'): Expansion;
}

/** A line of the ignore file. */
export interface IgnorePattern {
  readonly pattern: string;
  readonly negated: boolean;
}
