import type { Instruction } from '../../grammar/ast.ts';
import { splitKeyValue } from '../../grammar/key-values.ts';
import { expandWord } from '../../grammar/words/expand.ts';
import { sourceNames } from './dependencies.ts';
import { sourceStage } from './find-stage.ts';
import type { Lowered } from './index.ts';
import type { Lines } from './lint/rule.ts';
import { type OutlineMount, outlineMounts } from './outline-mounts.ts';
import { base64, descriptionOf, type JsonLocation, locationOf } from './source-json.ts';
import type { Stage } from './stages.ts';

/** What a target takes from outside, in the shape of BuildKit's `frontend.outline`. */
export interface Outline {
  readonly name?: string;
  readonly description?: string;
  readonly args?: readonly {
    readonly name: string;
    readonly description?: string;
    readonly value?: string;
    readonly location: JsonLocation;
  }[];
  readonly secrets?: readonly JsonMount[];
  readonly ssh?: readonly JsonMount[];
  readonly sources: readonly string[];
}

interface JsonMount {
  readonly name: string;
  readonly required?: true;
  readonly location: JsonLocation;
}

interface Argument {
  readonly name: string;
  readonly value: string;
  readonly description: string;
  readonly lines: Lines;
  /** Global ARGs that the default is made of. */
  readonly uses: readonly string[];
}

/** Of the target and the stages that it needs. */
export function outlineOf(lowered: Lowered, text: string): Outline {
  const { target } = lowered;
  const globals = globalArguments(lowered);
  const stages = neededStages(lowered);
  const args = new Map<string, Argument>();
  for (const stage of stages) {
    for (const [name, argument] of argumentsOf(stage, globals, lowered)) if (!args.has(name)) args.set(name, argument);
  }
  const mounts = stages.flatMap((stage) =>
    instructionsOf(stage, lowered).flatMap((each) => outlineMounts(each, lowered.states.get(stage)?.scope)),
  );
  const name = target.name ?? '';
  const description = descriptionOf(name, target.from.comments);
  const lists = {
    args: byLine([...args.values()]).map(argumentToJson),
    secrets: mountsToJson(mounts.filter(({ type }) => type === 'secret')),
    ssh: mountsToJson(mounts.filter(({ type }) => type === 'ssh')),
  };
  return {
    ...(name && { name }),
    ...(description && { description }),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
    sources: [base64(text)],
  };
}

/** The target, the stages below it, and those that they take files from; each once, the nearest first. */
function neededStages({ target, stages, build }: Lowered): readonly Stage[] {
  const found = new Set<Stage>();
  // A stack of its own: a chain of stages may be longer than that of JavaScript.
  const pending = [target];
  for (let stage = pending.pop(); stage; stage = pending.pop()) {
    if (found.has(stage)) continue;
    found.add(stage);
    const user = stage;
    const sources = stage.instructions
      .flatMap(sourceNames)
      .flatMap(({ name, range }) => sourceStage(name, stages, user, { ...range, file: build.file }) ?? []);
    pending.push(...[...(stage.base.kind === 'stage' ? [stage.base.stage] : []), ...sources].reverse());
  }
  return [...found];
}

interface Placed {
  readonly instruction: Instruction;
  readonly lines: Lines;
}

function instructionsOf(stage: Stage, { prepared }: Lowered): readonly Placed[] {
  const triggers = (prepared.triggers.get(stage) ?? []).map((instruction) => ({ instruction, lines: stage.from.lines }));
  return [...triggers, ...stage.instructions.map((instruction) => ({ instruction, lines: instruction.lines }))];
}

/** Source: BuildKit, `buildMetaArgs`. */
function globalArguments({ globals, build }: Lowered): ReadonlyMap<string, Argument> {
  const found = new Map<string, Argument>();
  const values = new Map<string, string>(
    [...build.globalArgs].filter(([name]) => !globals.some(({ args }) => args.some((word) => nameOf(word) === name))),
  );
  for (const { args, comments, lines } of globals) {
    for (const word of args) {
      const name = nameOf(word);
      const { value, uses } = readDefault(word, values, build);
      if (value !== undefined) values.set(name, value);
      const inherited = uses.includes(name) ? (found.get(name)?.uses ?? []) : [];
      const all = [...uses.filter((each) => each !== name), ...inherited];
      found.set(name, { name, value: value ?? '', description: descriptionOf(name, comments), lines, uses: all });
    }
  }
  return found;
}

function readDefault(word: string, values: ReadonlyMap<string, string>, { buildArgs, escape: escapeCharacter }: Lowered['build']) {
  const pair = splitKeyValue(word);
  const given = buildArgs.get(pair?.name ?? word);
  if (given !== undefined || !pair) return { value: given, uses: [] as string[] };
  const uses = new Set<string>();
  const lookup = (name: string): string | undefined => {
    if (values.has(name)) uses.add(name);
    return values.get(name);
  };
  return { value: expandWord(pair.value, lookup, { escape: escapeCharacter, quotes: 'remove' }).text, uses: [...uses] };
}

/** The ARGs that a stage and its FROM use. */
function argumentsOf(stage: Stage, globals: ReadonlyMap<string, Argument>, lowered: Lowered): ReadonlyMap<string, Argument> {
  const { build, states } = lowered;
  const known = new Map(globals);
  const used = new Set(namesInFrom(stage, lowered));
  for (const { instruction, lines } of instructionsOf(stage, lowered)) {
    if (instruction.name !== 'ARG') continue;
    for (const word of instruction.args) {
      const name = nameOf(word);
      used.add(name);
      // A bare ARG that takes the global value is described where that stands.
      if (!word.includes('=') && !build.buildArgs.has(name) && build.globalArgs.has(name)) continue;
      const value = states.get(stage)?.args.get(name) ?? '';
      known.set(name, { name, value, description: descriptionOf(name, instruction.comments), lines, uses: [] });
    }
  }
  // Grows while it is walked: what a default is made of is used too.
  for (const name of used) for (const each of known.get(name)?.uses ?? []) used.add(each);
  return new Map([...used].flatMap((name) => known.get(name) ?? []).map((argument) => [argument.name, argument]));
}

/** A stage that another one stands on lends it those of its own FROM. */
function namesInFrom(stage: Stage, { build: { globalArgs, escape: escapeCharacter } }: Lowered): readonly string[] {
  const names = new Set<string>();
  const lookup = (name: string): string | undefined => {
    if (globalArgs.has(name)) names.add(name);
    return globalArgs.get(name);
  };
  for (let at: Stage | undefined = stage; at; at = at.base.kind === 'stage' ? at.base.stage : undefined) {
    if (at.replaced) continue;
    const words = [at.from.args[0] ?? '', ...at.from.flags.map(({ value = '' }) => value)];
    for (const word of words) expandWord(word, lookup, { escape: escapeCharacter, quotes: 'remove' });
  }
  return [...names];
}

const nameOf = (word: string): string => splitKeyValue(word)?.name ?? word;

const byLine = <Item extends { readonly lines: Lines }>(items: readonly Item[]): Item[] =>
  items.toSorted((one, other) => one.lines.first - other.lines.first);

const argumentToJson = ({ name, description, value, lines }: Argument) => ({
  name,
  ...(description && { description }),
  ...(value && { value }),
  location: locationOf(lines),
});

function mountsToJson(mounts: readonly OutlineMount[]): readonly JsonMount[] {
  const first = new Map<string, OutlineMount>();
  for (const mount of mounts) if (!first.has(mount.id)) first.set(mount.id, mount);
  return byLine([...first.values()]).map(({ id, required, lines }) => ({
    name: id,
    ...(required && { required }),
    location: locationOf(lines),
  }));
}
