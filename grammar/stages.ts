import type { Instruction } from './ast.ts';
import type { Report } from './diagnostics.ts';
import { syntaxOf } from './instructions/index.ts';
import type { Positions } from './positions.ts';

const HINT = 'begin a stage first: FROM image, or FROM scratch';

/** Every instruction but ARG belongs to a stage, and there has to be one. */
export function checkStages(instructions: readonly Instruction[], positions: Positions, report: Report): void {
  const [first] = instructions;
  if (!first) {
    report({ code: 'EMPTY_FILE', message: 'the file has no instructions', range: positions.range(0, 0), hint: HINT });
    return;
  }
  const from = instructions.findIndex(({ name }) => name === 'FROM');
  const before = from === -1 ? instructions : instructions.slice(0, from);
  // An unknown one is reported already, and may have been meant as FROM.
  if (before.some(({ name }) => !syntaxOf(name))) return;
  const stray = before.find(({ name }) => name !== 'ARG');
  if (stray && from !== -1) {
    const message = `${stray.name} stands before the first FROM`;
    report({ code: 'NO_STAGE', message, range: stray.range, hint: 'only ARG can stand there; begin a stage first: FROM image' });
  } else if (from === -1) {
    report({ code: 'NO_STAGE', message: 'the file has no FROM', range: (stray ?? instructions.at(-1) ?? first).range, hint: HINT });
  }
}
