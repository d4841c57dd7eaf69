import type { Instruction } from '../../grammar/ast.ts';
import { splitKeyValue } from '../../grammar/key-values.ts';
import type { GitSpec, HttpSpec } from '../graph/spec.ts';
import type { BuildScope } from './build-scope.ts';
import { remoteSource } from './instructions/add.ts';
import { scratchState } from './stage-state.ts';
import type { Stage } from './stages.ts';
import { expandAt, invalid, rangeOfArg, type Step } from './step.ts';

/**
 * What SOURCE_DATE_EPOCH takes its time from where it names a stage: FROM scratch, with exactly one ADD of something remote, and ARGs.
 * Such a stage sees all ARGs before the first FROM. Source: BuildKit, `sourceDateEpochStageSource`.
 */
export function epochStageSource(stage: Stage, build: BuildScope): HttpSpec | GitSpec {
  const state = scratchState({ platform: build.targetPlatform, numbering: { stageName: '', total: 0, current: 0 } });
  for (const [name, value] of build.globalArgs) if (name !== 'SOURCE_DATE_EPOCH') state.scope.set(name, value);
  const source = (): never => {
    throw new TypeError('an ADD has no --from');
  };
  const stepOf = (instruction: Instruction): Step => ({ instruction, state, build, triggeredBy: undefined, source });
  if (stage.base.kind !== 'scratch') throw refused(stepOf(stage.from), 'does not begin with FROM scratch');
  let found: HttpSpec | GitSpec | undefined;
  for (const instruction of stage.instructions) {
    const step = stepOf(instruction);
    if (instruction.name === 'ARG') declare(step);
    else if (instruction.name !== 'ADD') throw refused(step, `has ${instruction.name}`);
    else if (found) throw refused(step, 'has a second ADD');
    else found = remoteAdd(step);
  }
  if (found) return found;
  throw refused(stepOf(stage.from), 'adds nothing');
}

function declare(step: Step): void {
  for (const [index, word] of step.instruction.args.entries()) {
    const { name, value } = splitKeyValue(word) ?? { name: word, value: undefined };
    const given = step.build.buildArgs.get(name) ?? (value === undefined ? undefined : expandAt(step, value, rangeOfArg(step, index)));
    if (given !== undefined) step.state.scope.set(name, given);
  }
}

function remoteAdd(step: Step): HttpSpec | GitSpec {
  const { args, heredocs } = step.instruction;
  const remote = args.length === 2 && heredocs.length === 0 ? remoteSource(step, 0) : undefined;
  if (remote?.spec.kind === 'http' || remote?.spec.kind === 'git') return remote.spec;
  throw refused(step, 'adds something else than one URL or repository');
}

const refused = (step: Step, what: string): Error =>
  invalid(step, `the stage that SOURCE_DATE_EPOCH names ${what}`, {
    hint: 'it is FROM scratch with exactly one ADD of a URL or a git repository',
  });
