import type { Dockerfile, Instruction, Range } from '../../grammar/ast.ts';

/** One line for each node, with its range, so that a change reads well as a diff. */
export function dump({ directives, instructions, diagnostics }: Dockerfile): string {
  const lines = [
    ...Object.entries(directives).map(([name, value]) => `directive ${name}=${JSON.stringify(value)}`),
    ...instructions.flatMap((instruction) => dumpInstruction(instruction, '')),
    ...diagnostics.map(({ severity, code, message, range, hint }) =>
      [`${show(range)}  ${severity} ${code}: ${message}`, ...(hint ? [`  hint: ${hint}`] : [])].join('\n'),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function dumpInstruction({ name, form, args, argRanges, flags, heredocs, trigger, range }: Instruction, indent: string): string[] {
  const shown = args.map((arg, at) => ` ${argRanges[at] ? show(argRanges[at]) : '?'} ${JSON.stringify(arg)}`);
  return [
    `${indent}${show(range)}  ${name}  ${form}${shown.join('')}`,
    ...flags.map((flag) => `${indent}  ${show(flag.range)}  --${flag.name}${flag.value === undefined ? '' : `=${flag.value}`}`),
    ...heredocs.map(({ name, expand, chomp, content, range }) => {
      const traits = `${expand ? ' expand' : ''}${chomp ? ' chomp' : ''}`;
      return `${indent}  ${show(range)}  <<${name}${traits} ${JSON.stringify(content)}`;
    }),
    ...(trigger ? dumpInstruction(trigger, `${indent}  `) : []),
  ];
}

function show({ start, end }: Range): string {
  return `${start.line}:${start.column}-${end.line}:${end.column}`;
}
