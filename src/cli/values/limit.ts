import { BuildError } from '../../diagnostics/build-error.ts';
import { parseByteSize } from '../../plan/byte-size.ts';

// Limits as Docker's command line writes them. 0 takes a limit away, where Docker has it so: then undefined is given. All throw ARG_INVALID.

/** Docker's: the kernel itself takes less, and no program starts in it. */
const leastMemoryBytes = 6 * 1024 * 1024;

/** `--memory`, in bytes. */
export function parseMemory(text: string): number | undefined {
  const bytes = parseSize('--memory', text);
  if (bytes === 0) return undefined;
  if (bytes < leastMemoryBytes) throw bad('--memory', text, 'is less than a container needs', 'the least is 6m');
  return bytes;
}

/** `--memory-swap`, in bytes; -1 for no limit. */
export function parseMemorySwap(text: string): number | undefined {
  if (text === '-1') return -1;
  return parseSize('--memory-swap', text) || undefined;
}

/** `--shm-size`, in bytes. */
export function parseShmSize(text: string): number | undefined {
  return parseSize('--shm-size', text) || undefined;
}

/** `--cpus`, in millionths of a processor. */
export function parseCpus(text: string): number | undefined {
  const cpus = /^(\d{1,6}\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (cpus === 0) return undefined;
  if (!(cpus >= 0.01)) throw bad('--cpus', text, 'is no number of processors', 'write a number from 0.01 on, as in "1.5"');
  return Math.round(cpus * 1_000_000);
}

/** `--cpu-shares`. */
export function parseCpuShares(text: string): number | undefined {
  const shares = parseNumber(text);
  if (shares === 0) return undefined;
  if (shares === undefined || shares < 2 || shares > 262_144)
    throw bad('--cpu-shares', text, 'is no weight', 'write a number from 2 to 262144; 1024 is the default');
  return shares;
}

/** `--cpuset-cpus`: a list of numbers and ranges. */
export function parseCpuList(text: string): string {
  const ranges = text.split(',').map((range) => /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range));
  const isGood = ranges.every((range) => range && Number(range[2] ?? range[1]) >= Number(range[1]));
  if (!isGood) throw bad('--cpuset-cpus', text, 'is no list of processors', 'write numbers and ranges, as in "0-2,4"');
  return text;
}

/** `--pids-limit`. */
export function parsePids(text: string): number | undefined {
  if (text === '-1' || text === '0') return undefined;
  const count = parseNumber(text);
  if (count === undefined) throw bad('--pids-limit', text, 'is no number of processes', 'write a number, or -1 for no limit');
  return count;
}

function parseNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function parseSize(option: string, text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === undefined) throw bad(option, text, 'is not a size', 'write a number with b, k, m or g behind it, as in "512m"');
  return bytes;
}

function bad(option: string, text: string, why: string, hint: string): BuildError {
  return new BuildError('ARG_INVALID', `"${option} ${text}" ${why}`, { hint });
}
