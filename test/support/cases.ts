import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tool } from './tools.ts';

// Each folder of fixtures/cases is a build. It holds
//   Dockerfile   with $BASE, the reference of a busybox, as a build argument
//   prepare.sh   makes what git cannot hold; runs in a copy of the folder
//   args         flags, one in a line; $CONTEXT is that copy
//   expected/    tree and config.json, as BuildKit gives them (`npm run record-cases`), or error: what BuildKit says where its build fails;
//                differs.md where cooper's are not the same: the reason, and in a fenced block how: "-" has BuildKit, "+" has cooper
//   differs.md   the same for buildah
//   buildah      why buildah is not asked for the same
//   error        what cooper says where its build fails
//   rootless     why it cannot be built without root
const own = ['prepare.sh', 'args', 'expected', 'differs.md', 'buildah', 'error', 'rootless'];

/** Where the cases are. */
export const casesFolder = join(import.meta.dirname, '../../fixtures/cases');

/** What `$BASE` is where a build finds the base by a name of its own. */
export const caseBase = '127.0.0.1:1/busybox';

/** A case made ready: a context to build, with flags for the command. */
export interface Subject {
  readonly name: string;
  readonly context: string;
  readonly args: readonly string[];
}

/** The names of all cases, or of those in COOPER_TEST_CASES. */
export async function caseNames(): Promise<readonly string[]> {
  const only = process.env.COOPER_TEST_CASES?.split(',');
  return (await readdir(casesFolder)).filter((name) => !only || only.includes(name)).sort();
}

/** What a case's file says; undefined where it has none. */
export async function caseFile(name: string, file: string): Promise<string | undefined> {
  const path = join(casesFolder, name, file);
  return existsSync(path) ? await readFile(path, 'utf8') : undefined;
}

/**
 * A copy of a case in `directory`, with modes that do not depend on how the repo was cloned. `time` is what all that it holds is set to,
 * in seconds: an old one.
 */
export async function prepareCase(name: string, directory: string, base: string, time = '1000000000'): Promise<Subject> {
  const context = join(directory, name);
  await cp(join(casesFolder, name), context, { recursive: true, verbatimSymlinks: true });
  const args = lines((await caseFile(name, 'args')) ?? '').map((word) => word.replace('$CONTEXT', context));
  const script = existsSync(join(context, 'prepare.sh')) ? '. ./prepare.sh' : ':';
  for (const each of own) if (each !== 'prepare.sh') await rm(join(context, each), { force: true, recursive: true });
  const all = `umask 022; chmod -R u=rwX,go=rX .; ${script}; rm -f prepare.sh; find . -exec touch --no-dereference --date=@${time} {} +`;
  await promisify(execFile)('sh', ['-euc', all], { cwd: context, env: { ...process.env, BASE: base } });
  return { name, context, args: ['--build-arg', `BASE=${base}`, ...args] };
}

/** The lines that one has and the other lacks: "-" the first, "+" the second. */
export function difference(theirs: readonly string[], ours: readonly string[]): readonly string[] {
  const [left, right] = [new Set(theirs), new Set(ours)];
  return [
    ...theirs.filter((line) => !right.has(line)).map((line) => `- ${line}`),
    ...ours.filter((line) => !left.has(line)).map((line) => `+ ${line}`),
  ];
}

/** The difference that a case gives a reason for, in `differs.md` or `expected/differs.md`. */
export async function knownDifference(name: string, file: string): Promise<readonly string[]> {
  const text = await caseFile(name, file);
  if (text === undefined) return [];
  const block = text.match(/^```diff\n(.*?)^```$/ms)?.[1];
  if (block === undefined) throw new Error(`${name}/${file} has no block with the difference`);
  return lines(block);
}

export const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

/** Why nothing can be built here that needs these programs; undefined when it can. */
export async function missingProgram(programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs) {
    const there = await tool('sh', ['-c', `command -v ${program}`]).catch(() => undefined);
    if (!there) return `"${program}" is not installed: npm test installs it`;
  }
  return undefined;
}
