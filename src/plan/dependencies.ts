import type { Instruction, Range } from '../../grammar/ast.ts';
import { mountSourceName } from './mount-fields.ts';

/** Something that an instruction takes files from: the name of a stage, its index, or an image. */
export interface SourceName {
  readonly name: string;
  readonly range: Range;
}

/** What `COPY --from` and `RUN --mount=from=` of an instruction name. */
export function sourceNames({ name, flags }: Instruction): readonly SourceName[] {
  return flags.flatMap(({ name: flag, text, range }) => {
    if (text === undefined) return [];
    const source = sourceOfFlag(name, flag, text);
    // A variable is refused when the instruction is lowered, with a better message than that of a missing image.
    return source && source !== 'scratch' && !/\$./.test(source) ? [{ name: source, range }] : [];
  });
}

function sourceOfFlag(instruction: string, flag: string, value: string): string | undefined {
  if (instruction === 'COPY' && flag === 'from') return value;
  return instruction === 'RUN' && flag === 'mount' ? mountSourceName(value) : undefined;
}
