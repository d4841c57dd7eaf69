import type { Dockerfile, Flag, Heredoc, Instruction } from '../../grammar/ast.ts';

/** The Dockerfile that an AST without errors says, one instruction a line. Blank lines, comments inside and continuations are not in it. */
export function writeDockerfile({ directives, instructions }: Pick<Dockerfile, 'directives' | 'instructions'>): string {
  const head = Object.entries(directives).map(([name, value]) => `# ${name}=${value}\n`);
  return head.join('') + instructions.map((instruction) => `${writeInstruction(instruction)}\n`).join('');
}

function writeInstruction(instruction: Instruction): string {
  // Behind an empty comment none is a directive.
  const comments = ['', ...instruction.comments].map((comment) => `# ${comment}\n`).join('');
  const { nameAsWritten, trigger } = instruction;
  if (!trigger) return `${comments}${[nameAsWritten, ...rest(instruction)].join(' ')}${bodies(instruction)}`;
  return `${comments}${[nameAsWritten, trigger.nameAsWritten, ...rest(trigger)].join(' ')}${bodies(trigger)}`;
}

function rest({ name, flags, form, args }: Instruction): readonly string[] {
  const end = args[0]?.startsWith('--') && name !== 'HEALTHCHECK' ? ['--'] : [];
  return [...flags.map(writeFlag), ...end, ...writeArguments(name, form, args)];
}

function writeArguments(name: string, form: Instruction['form'], args: readonly string[]): readonly string[] {
  if (form !== 'exec') return args;
  return name === 'HEALTHCHECK' ? [...args.slice(0, 1), JSON.stringify(args.slice(1))] : [JSON.stringify(args)];
}

const writeFlag = ({ name, value }: Flag): string => (value === undefined ? `--${name}` : `--${name}=${value}`);

const bodies = ({ heredocs }: Instruction): string => heredocs.map(({ raw, name }: Heredoc) => `\n${raw}${name}`).join('');
