import { stat, writeFile } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { type BuildResult, build } from '../../build.ts';
import type { BuildOptions } from '../../build-options.ts';
import { BuildError } from '../../diagnostics/build-error.ts';
import { codes } from '../../diagnostics/codes.ts';
import { rendererFor } from '../../progress/renderer.ts';
import { type BuildFlags, buildFlags, defaultBuildFlags, unavailableBuildFlags } from '../build-flags.ts';
import type { Caller } from '../caller.ts';
import { defineCommand } from '../command.ts';
import { type Globals, needRoot } from '../globals.ts';
import { resourcesOf } from '../limit-flags.ts';
import { usernsOf } from '../userns-flag.ts';
import { isRemote } from '../values/build-context.ts';

export const command = defineCommand<BuildFlags>({
  name: 'build',
  summary: 'builds an image from a Dockerfile',
  operands: 'PATH | URL | -',
  count: [1, 1],
  flags: buildFlags,
  unavailable: unavailableBuildFlags,
  details: [
    'PATH is the build context: the directory whose files COPY and ADD can see, often ".". With - an archive of such files, or a Dockerfile ' +
      'that needs none, is read from standard input. Progress goes to standard error; with -q the ' +
      "digest of the image's manifest, the one that a push has, goes to standard output.",
    'With --call or --check nothing is built. The answer goes to standard output, as text or as the JSON of "docker build"; the exit status of ' +
      'a check is 1 where a rule is violated or the file cannot be built. Every stage is checked, with --target that stage and what it needs.',
  ],
  defaults: defaultBuildFlags,
  run: async (flags, [path = ''], caller) => {
    const options = await toBuildOptions(flags, path, caller);
    // Loaded only here: most want a build.
    if (flags.call) return (await import('../call.ts')).answer(flags.call, options, caller);
    checkTogether(flags);
    const mode = flags.quiet ? 'quiet' : flags.progress;
    const render = rendererFor(mode, caller.color);
    const running = build({ ...options, signal: caller.signal });
    for await (const event of running) await caller.writeMessage(render(event));
    try {
      await report(await running.result, flags, caller);
      return 0;
    } catch (error) {
      // Whoever reads the events has been told by the last of them, and wants nothing else between them.
      if (mode === 'json' && error instanceof BuildError) return codes[error.code].status;
      throw error;
    }
  },
});

/** What each option allows and all together do not. */
function checkTogether({ quiet, push, tags, outputs }: BuildFlags): void {
  const streams = outputs.filter(({ destination }) => destination === '-').length;
  if (push && tags.length === 0)
    throw new BuildError('ARG_INVALID', '"--push" needs to know where to', { hint: 'name the image with --tag REGISTRY/NAME' });
  if (streams > 1)
    throw new BuildError('ARG_INVALID', 'two outputs cannot both go to standard output', {
      hint: 'give one of them a file with dest=FILE',
    });
  if (streams > 0 && quiet) {
    const hint = 'use --iidfile FILE for the digest, and --progress quiet';
    throw new BuildError('ARG_INVALID', '"--quiet" prints the digest where an output goes: to standard output', { hint });
  }
}

async function toBuildOptions(flags: BuildFlags & Globals, path: string, caller: Caller): Promise<BuildOptions> {
  const { directory, environment, resultStream, input } = caller;
  const context = await contextOf(path, directory);
  const {
    tags,
    target,
    contexts,
    buildArgs,
    labels,
    annotations,
    secrets,
    ssh,
    addHosts,
    allow,
    security,
    cdiDirectories,
    platform,
    network,
  } = flags;
  const { noCache, reproducible, noCacheFilter, pull, push, file } = flags;
  return {
    context,
    stdin: input,
    root: needRoot(flags),
    ...(file !== undefined && { dockerfile: dockerfileOf(file, isAbsolute(context), directory) }),
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
    ...(network !== undefined && { network }),
    ...(flags.certificates && { certificates: flags.certificates }),
    ...{
      tags,
      contexts,
      buildArgs,
      labels,
      annotations,
      secrets,
      ssh,
      addHosts,
      allow,
      security,
      noCache,
      reproducible,
      noCacheFilter,
      pull,
      push,
      environment,
    },
    resources: resourcesOf(flags),
    ...(cdiDirectories.length > 0 && { cdiDirectories }),
    userns: usernsOf(flags, environment),
    outputs: flags.outputs,
    cacheTo: flags.cacheTo,
    cacheFrom: flags.cacheFrom,
    outputStream: resultStream,
  };
}

/** A directory is absolute; what else it may be stays as it is. One that is there comes first, whatever its name looks like. */
async function contextOf(path: string, directory: string): Promise<string> {
  if (path === '') throw new BuildError('CONTEXT_INVALID', 'the build context is an empty name', { hint: 'for this directory write "."' });
  const absolute = resolve(directory, path);
  const isElsewhere = path === '-' || isRemote(path);
  const isThere = isElsewhere && path !== '-' && (await stat(absolute).catch(() => undefined))?.isDirectory();
  return isElsewhere && !isThere ? path : absolute;
}

/** Relative to where the user is; within a context that is no directory, to its root. */
function dockerfileOf(file: string, inDirectory: boolean, directory: string): string {
  return file === '-' || /^https?:\/\//.test(file) || !inDirectory ? file : resolve(directory, file);
}

/** Writes what scripts read: the digest and the metadata. Keys are those of buildx. */
async function report({ digest, configDigest, descriptor, tags }: BuildResult, flags: BuildFlags, { writeResult }: Caller): Promise<void> {
  if (flags.iidFile !== undefined) await writeResultFile(flags.iidFile, digest);
  if (flags.metadataFile !== undefined) {
    const metadata = {
      'containerimage.config.digest': configDigest,
      'containerimage.descriptor': descriptor,
      'containerimage.digest': digest,
      ...(tags.length > 0 && { 'image.name': tags.join(',') }),
    };
    await writeResultFile(flags.metadataFile, `${JSON.stringify(metadata, undefined, 2)}\n`);
  }
  if (flags.quiet) await writeResult(`${digest}\n`);
}

async function writeResultFile(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BuildError('EXPORT_FAILED', `cannot write "${path}": ${message}`, { cause, hint: 'the image itself is built' });
  }
}
