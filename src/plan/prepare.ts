import type { Instruction, Range } from '../../grammar/ast.ts';
import { nearest } from '../../grammar/nearest.ts';
import { parseDockerfile } from '../../grammar/parse.ts';
import { BuildError } from '../diagnostics/build-error.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { type BuildScope, sourceRange } from './build-scope.ts';
import { checkImageConfig } from './check-image-config.ts';
import { sourceNames } from './dependencies.ts';
import { sourceStage, stagesHint } from './find-stage.ts';
import { triggersOf } from './instructions/onbuild.ts';
import { namedContext } from './named-contexts.ts';
import type { ImageResolver, ResolvedImage } from './plan.ts';
import type { Stage } from './stages.ts';

/** What had to be waited for before stages can be lowered: the stages that the target needs, and what is known of their bases. */
export interface Prepared {
  /** In the order of the file. */
  readonly stages: readonly Stage[];
  /** What ONBUILD of its base adds in front of a stage's own instructions. */
  readonly triggers: ReadonlyMap<Stage, readonly Instruction[]>;
  image(reference: string, platform: Platform): ResolvedImage;
}

/** Finds the stages that those `wanted` need, and resolves their images, all at once. The first failure ends the rest. */
export async function prepare(
  wanted: readonly Stage[],
  stages: readonly Stage[],
  { build, resolver, signal }: { build: BuildScope; resolver: ImageResolver; signal: AbortSignal },
): Promise<Prepared> {
  const failed = new AbortController();
  const preparation = new Preparation(stages, build, resolver, AbortSignal.any([signal, failed.signal]));
  try {
    await Promise.all(wanted.map((stage) => preparation.visit(stage)));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  return preparation.result();
}

class Preparation {
  readonly #stages: readonly Stage[];
  readonly #build: BuildScope;
  readonly #resolver: ImageResolver;
  readonly #signal: AbortSignal;
  readonly #visits = new Map<Stage, Promise<void>>();
  readonly #triggers = new Map<Stage, readonly Instruction[]>();
  /** By the stage that has them. */
  readonly #ofStages = new Map<Stage, readonly Instruction[]>();
  readonly #lookups = new Map<string, Promise<ResolvedImage>>();
  readonly #images = new Map<string, ResolvedImage>();

  constructor(stages: readonly Stage[], build: BuildScope, resolver: ImageResolver, signal: AbortSignal) {
    this.#stages = stages;
    this.#build = build;
    this.#resolver = resolver;
    this.#signal = signal;
  }

  /** Once for each stage. Stages only name earlier ones, so this ends. */
  visit(stage: Stage): Promise<void> {
    const known = this.#visits.get(stage);
    if (known) return known;
    const visit = this.#visit(stage);
    this.#visits.set(stage, visit);
    return visit;
  }

  result(): Prepared {
    return {
      stages: this.#stages.filter((stage) => this.#visits.has(stage)),
      triggers: this.#triggers,
      image: (reference, platform) => {
        const image = this.#images.get(keyOf(reference, platform));
        if (!image) throw new TypeError(`"${reference}" was not resolved`);
        return image;
      },
    };
  }

  async #visit(stage: Stage): Promise<void> {
    await Promise.all([this.#visitBase(stage), this.#visitSources(stage, stage.instructions, undefined)]);
  }

  async #visitBase(stage: Stage): Promise<void> {
    const { base, from } = stage;
    if (base.kind === 'scratch' || base.kind === 'files') return;
    if (base.kind === 'stage') {
      await this.visit(base.stage);
      this.#triggers.set(stage, this.#triggersOf(base.stage, from));
    } else {
      const range = from.argRanges[0] ?? from.range;
      const image = await this.#resolve(base.reference, stage.platform ?? this.#build.targetPlatform, range, stage);
      if (!stage.replaced)
        this.#triggers.set(stage, parseTriggers(image.config.config?.OnBuild ?? [], `"${image.reference}"`, this.#build, from));
    }
    await this.#visitSources(stage, this.#triggers.get(stage) ?? [], from.range);
  }

  /** Read anew, as those of an image are: what is wrong with one is an error only where it is run. */
  #triggersOf(base: Stage, from: Instruction): readonly Instruction[] {
    const known = this.#ofStages.get(base);
    if (known) return known;
    const made = parseTriggers(base.instructions.flatMap(triggersOf), `the stage "${base.name ?? base.index}"`, this.#build, from);
    this.#ofStages.set(base, made);
    return made;
  }

  async #visitSources(stage: Stage, instructions: readonly Instruction[], triggeredBy: Range | undefined): Promise<void> {
    await Promise.all(
      instructions.flatMap(sourceNames).map(async ({ name, range }) => {
        const found = sourceStage(name, this.#stages, stage, sourceRange(this.#build, triggeredBy ?? range));
        if (found) return this.visit(found);
        const context = namedContext(name, this.#build.namedContexts, this.#build.targetPlatform);
        if (context && context.kind !== 'image') return;
        await this.#resolve(context?.reference ?? name, this.#build.targetPlatform, triggeredBy ?? range, stage);
      }),
    );
  }

  async #resolve(reference: string, platform: Platform, range: Range, user: Stage): Promise<ResolvedImage> {
    const key = keyOf(reference, platform);
    const lookup = this.#lookups.get(key) ?? this.#resolver.resolve(reference, platform, this.#signal);
    this.#lookups.set(key, lookup);
    try {
      const image = await lookup;
      checkImageConfig(image.reference, image.config);
      this.#images.set(key, image);
      return image;
    } catch (error) {
      throw error instanceof BuildError ? this.#explain(error, reference, range, user) : error;
    }
  }

  /** An image that is not found may be a stage with a slip of the pen. */
  #explain(error: BuildError, reference: string, range: Range, user: Stage): BuildError {
    const at = sourceRange(this.#build, range);
    const earlier = this.#stages.slice(0, user.index);
    const near = nearest(
      reference,
      earlier.flatMap(({ name }) => name ?? []),
    );
    if (!near || !notFound.includes(error.code)) return error.at(at);
    const hint = stagesHint(reference, earlier);
    return new BuildError('STAGE_NOT_FOUND', `"${reference}" is no stage, and not found as an image: ${error.message}`, {
      range: at,
      hint,
      cause: error,
    });
  }
}

/** Failures that a wrong name may be the reason of: where no registry can be reached, too. */
const notFound: readonly string[] = ['BASE_NOT_FOUND', 'REFERENCE_INVALID', 'REGISTRY_AUTH', 'REGISTRY_FAILED', 'REGISTRY_UNREACHABLE'];

/** ONBUILD is text that has yet to be checked against our grammar: its errors are shown at the FROM that brought it. */
function parseTriggers(texts: readonly string[], owner: string, build: BuildScope, from: Instruction): readonly Instruction[] {
  return texts.map((text) => {
    // An instruction without a FROM is an error: it gets one.
    const { instructions, diagnostics } = parseDockerfile(`FROM scratch\n${text}`);
    const trigger = instructions[1];
    const error = diagnostics.find(({ severity }) => severity === 'error');
    if (trigger && instructions.length === 2 && !error && !['FROM', 'ONBUILD', 'MAINTAINER'].includes(trigger.name)) return trigger;
    throw new BuildError('DOCKERFILE_INVALID', `${owner} has an ONBUILD that cannot be run: "${text}"`, {
      range: sourceRange(build, from.range),
      hint: error?.message,
    });
  });
}

const keyOf = (reference: string, platform: Platform): string => JSON.stringify([reference, formatPlatform(platform)]);
