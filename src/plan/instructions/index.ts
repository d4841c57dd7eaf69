import type { Lowering } from '../step.ts';
import { lowerAdd } from './add.ts';
import { lowerArg } from './arg.ts';
import { lowerCmd } from './cmd.ts';
import { lowerCopy } from './copy.ts';
import { lowerEntrypoint } from './entrypoint.ts';
import { lowerEnv } from './env.ts';
import { lowerExpose } from './expose.ts';
import { lowerHealthcheck } from './healthcheck.ts';
import { lowerLabel } from './label.ts';
import { lowerMaintainer } from './maintainer.ts';
import { lowerOnbuild } from './onbuild.ts';
import { lowerRun } from './run.ts';
import { lowerShell } from './shell.ts';
import { lowerStopsignal } from './stopsignal.ts';
import { lowerUser } from './user.ts';
import { lowerVolume } from './volume.ts';
import { lowerWorkdir } from './workdir.ts';

/** What each instruction does to its stage. FROM is none of them: it begins a stage (`stages.ts`). */
export const lowerings: ReadonlyMap<string, Lowering> = new Map([
  ['ADD', lowerAdd],
  ['ARG', lowerArg],
  ['CMD', lowerCmd],
  ['COPY', lowerCopy],
  ['ENTRYPOINT', lowerEntrypoint],
  ['ENV', lowerEnv],
  ['EXPOSE', lowerExpose],
  ['HEALTHCHECK', lowerHealthcheck],
  ['LABEL', lowerLabel],
  ['MAINTAINER', lowerMaintainer],
  ['ONBUILD', lowerOnbuild],
  ['RUN', lowerRun],
  ['SHELL', lowerShell],
  ['STOPSIGNAL', lowerStopsignal],
  ['USER', lowerUser],
  ['VOLUME', lowerVolume],
  ['WORKDIR', lowerWorkdir],
]);

/** Instructions that may make a layer: these are counted in `[2/5]`. */
export const countedInstructions: readonly string[] = ['ADD', 'COPY', 'RUN', 'WORKDIR'];
