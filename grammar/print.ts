import type { Dockerfile, Heredoc, Instruction } from './ast.ts';

/** The object that `cooper ast` prints. Its fields and their order are a contract for other tools. */
export function astToJSON({ directives, instructions, diagnostics }: Dockerfile): object {
  return {
    directives,
    instructions: instructions.map(instructionToJSON),
    diagnostics: diagnostics.map(({ code, severity, message, range, hint }) => ({
      code,
      severity,
      message,
      range,
      ...(hint === undefined ? {} : { hint }),
    })),
  };
}

function instructionToJSON({ name, flags, form, args, trigger, heredocs, range }: Instruction): object {
  return {
    name,
    flags: flags.map(({ name, value }) => (value === undefined ? { name } : { name, value })),
    form,
    args,
    ...(trigger ? { trigger: instructionToJSON(trigger) } : {}),
    heredocs: heredocs.map(heredocToJSON),
    range,
  };
}

function heredocToJSON({ name, expand, chomp, content }: Heredoc): object {
  return { name, expand, chomp, content };
}
