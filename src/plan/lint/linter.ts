import type { Dockerfile, Instruction } from '../../../grammar/ast.ts';
import { type ExpandOptions, type Expansion, expandWord, type Lookup } from '../../../grammar/words/expand.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import type { SourceRange } from '../../diagnostics/source-range.ts';
import type { Stage } from '../stages.ts';
import type { Step } from '../step.ts';
import { type CheckConfig, withComments } from './config.ts';
import { LineRanges } from './line-ranges.ts';
import type { BaseView, FileView, FromView, IgnorePattern, Lines, Report, Rule, StepView } from './rule.ts';
import { rules } from './rules.ts';

/** One violation of a rule. */
export interface LintWarning {
  readonly rule: Rule;
  readonly message: string;
  readonly lines: Lines;
  readonly range: SourceRange;
}

export interface LinterOptions {
  readonly source: { readonly file: string; readonly text: string };
  readonly config: CheckConfig;
  readonly ignored?: readonly IgnorePattern[] | undefined;
  readonly warn: (warning: LintWarning) => void;
}

/** Errors after which BuildKit has not begun to look at instructions. */
const errorsOfTheText: readonly string[] = [
  'DUPLICATE_DIRECTIVE',
  'EMPTY_FILE',
  'HEREDOC_UNTERMINATED',
  'INVALID_ESCAPE',
  'LINE_TOO_LONG',
  'NOT_KEY_VALUE',
  'SYNTAX_ERROR',
];

/** Values beyond this are no concern of a rule: it looks at names and paths. */
const maxValueLength = 4096;

/** Looks at a Dockerfile while it is planned, and tells of what its rules find, at once and in order. */
export class Linter {
  readonly #options: LinterOptions;
  readonly #ranges: LineRanges;
  readonly #violated = new Set<string>();
  /** What has gone before, for each stage. */
  readonly #stages = new Map<Stage, Past>();
  readonly #unknownBases = new Set<string>();

  constructor(options: LinterOptions) {
    this.#options = options;
    this.#ranges = new LineRanges(options.source);
  }

  /** What needs no more than the text. Called before the errors of the parser are thrown. */
  readText(dockerfile: Dockerfile): void {
    const errors = dockerfile.diagnostics.filter(({ severity }) => severity === 'error');
    if (errors.some(({ code }) => errorsOfTheText.includes(code))) return;
    const end = errors[0]?.range.start.offset ?? Number.POSITIVE_INFINITY;
    this.#each('text', this.#options.config, (hook, report) => hook(dockerfile, report));
    for (const instruction of dockerfile.instructions) {
      this.#each('instruction', this.#configOf(instruction), (hook, report) => hook(instruction, report));
      if (instruction.range.end.offset >= end) return;
    }
  }

  readFile(file: FileView): void {
    this.#each('file', this.#options.config, (hook, report) => hook(file, report));
  }

  readFrom(view: FromView): void {
    this.#each('from', this.#configOf(view.from), (hook, report) => hook(view, report));
  }

  readBase(view: BaseView): void {
    this.#each('base', this.#options.config, (hook, report) => hook(view, report));
  }

  /** A base image that could not be looked at. */
  missBase(name: string): void {
    this.#unknownBases.add(name);
  }

  readStep({ instruction, state, build, triggeredBy }: Step, stage: Stage): void {
    const past = this.#pastOf(stage);
    const lines = triggeredBy ? stage.from.lines : instruction.lines;
    const view: StepView = {
      ...{ instruction, state, build, stage, lines },
      isTrigger: triggeredBy !== undefined,
      earlier: past.earlier,
      hasWorkdir: past.hasWorkdir,
      baseIsKnown: past.baseIsKnown,
      ignored: this.#options.ignored ?? [],
      expand: (word, quotes = 'remove') => expandShort(word, (name) => state.scope.get(name), { escape: build.escape, quotes }),
    };
    this.#each('step', this.#configOf(instruction), (hook, report) => hook(view, report));
    past.earlier.set(instruction.name, lines);
    past.hasWorkdir ||= instruction.name === 'WORKDIR';
  }

  /** The end of the plan. Throws LINT_FAILED where `error=true` was set and a rule that BuildKit has was violated. */
  finish(): void {
    if (!this.#options.config.error || this.#violated.size === 0) return;
    throw new BuildError('LINT_FAILED', `lint violation found for rules: ${[...this.#violated].toSorted().join(', ')}`, {
      hint: '"check=error=true" makes each of them an error; "cooper build --check" shows them',
    });
  }

  #each<Hook extends HookName>(name: Hook, config: CheckConfig, call: (hook: NonNullable<Rule[Hook]>, report: Report) => void): void {
    for (const rule of rules) {
      const hook = rule[name];
      if (hook && isOn(rule, config))
        call(hook.bind(rule) as NonNullable<Rule[Hook]>, (message, lines) => this.#tell(rule, message, lines));
    }
  }

  #tell(rule: Rule, message: string, lines: Lines): void {
    if (!rule.own) this.#violated.add(rule.name);
    this.#options.warn({ rule, message, lines, range: this.#ranges.of(lines) });
  }

  #configOf({ comments }: Pick<Instruction, 'comments'>): CheckConfig {
    return comments.length === 0 ? this.#options.config : withComments(this.#options.config, comments);
  }

  #pastOf(stage: Stage): Past {
    // Of a chain of stages all are looked at once, from the bottom; each knows what it stands on then.
    const chain: Stage[] = [];
    let past: Past | undefined;
    for (let at: Stage | undefined = stage; at && !past; at = at.base.kind === 'stage' ? at.base.stage : undefined) {
      past = this.#stages.get(at);
      if (!past) chain.push(at);
    }
    for (const each of chain.reverse()) {
      past = { earlier: new Map(), hasWorkdir: past?.hasWorkdir ?? false, baseIsKnown: past?.baseIsKnown ?? this.#isKnown(each) };
      this.#stages.set(each, past);
    }
    if (!past) throw new TypeError('a stage has no past');
    return past;
  }

  #isKnown({ base }: Stage): boolean {
    return base.kind !== 'image' || !this.#unknownBases.has(base.reference);
  }
}

/** What has gone before in a stage. */
interface Past {
  readonly earlier: Map<string, Lines>;
  hasWorkdir: boolean;
  readonly baseIsKnown: boolean;
}

type HookName = 'text' | 'instruction' | 'file' | 'from' | 'base' | 'step';

function isOn({ name, experimental }: Rule, config: CheckConfig): boolean {
  if (experimental) return config.experimental === 'all' || config.experimental.has(name);
  return config.skip !== 'all' && !config.skip.has(name);
}

/** Long values are left out of the text, so that a file of a few lines cannot make it grow. */
function expandShort(word: string, lookup: Lookup, options: ExpandOptions): Expansion {
  return expandWord(
    word,
    (name) => {
      const value = lookup(name);
      return value !== undefined && value.length > maxValueLength ? '' : value;
    },
    options,
  );
}
