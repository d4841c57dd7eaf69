import { add } from './add.ts';
import { arg } from './arg.ts';
import { cmd } from './cmd.ts';
import { copy } from './copy.ts';
import { entrypoint } from './entrypoint.ts';
import { env } from './env.ts';
import { expose } from './expose.ts';
import { from } from './from.ts';
import { healthcheck } from './healthcheck.ts';
import { label } from './label.ts';
import { maintainer } from './maintainer.ts';
import { onbuild } from './onbuild.ts';
import { run } from './run.ts';
import { shell } from './shell.ts';
import { stopsignal } from './stopsignal.ts';
import type { InstructionSyntax } from './syntax.ts';
import { user } from './user.ts';
import { volume } from './volume.ts';
import { workdir } from './workdir.ts';

/** All instructions there are, by name. Source: Dockerfile reference of the frontend 1.26. */
export const instructions: readonly InstructionSyntax[] = [
  add,
  arg,
  cmd,
  copy,
  entrypoint,
  env,
  expose,
  from,
  healthcheck,
  label,
  maintainer,
  onbuild,
  run,
  shell,
  stopsignal,
  user,
  volume,
  workdir,
];

export const instructionNames: readonly string[] = instructions.map(({ name }) => name);

/** The syntax of the instruction of that name, in any case. */
export function syntaxOf(name: string): InstructionSyntax | undefined {
  return byName.get(name.toLowerCase());
}

const byName = new Map(instructions.map((syntax) => [syntax.name.toLowerCase(), syntax]));
