import { posix } from 'node:path';
import type { StepView } from './rule.ts';

/** What a shell gets from a RUN, and with which options. */
export interface RunScript {
  readonly text: string;
  /** Of the shell: `-e`, `-o`, `pipefail`. */
  readonly options: readonly string[];
  /** The body of a heredoc that is the whole script. */
  readonly isHeredoc: boolean;
}

const shells: readonly string[] = ['sh', 'bash', 'dash', 'ash', 'ksh', 'mksh', 'zsh'];

/** The script of a RUN in shell form or of a heredoc, where a shell of the Bourne kind runs it; undefined for anything else. */
export function runScript({ instruction: { name, form, args, heredocs }, state, isTrigger }: StepView): RunScript | undefined {
  if (name !== 'RUN' || form !== 'shell' || isTrigger) return undefined;
  const [shell = '/bin/sh', ...options] = state.config.Shell?.length ? state.config.Shell : ['/bin/sh', '-c'];
  if (!shells.includes(posix.basename(shell))) return undefined;
  const text = args.join(' ');
  const [heredoc] = heredocs;
  if (!heredoc) return { text, options, isHeredoc: false };
  const started = /^(?:(?:\/(?:usr\/)?bin\/)?(\w+)((?: +-\S+)*) +)?\d*<<-?[^\s<]+$/.exec(text.trim());
  if (!started || heredocs.length > 1) return undefined;
  const [, given, flags = ''] = started;
  if (given !== undefined) return shells.includes(given) ? { text: heredoc.content, options: wordsOf(flags), isHeredoc: true } : undefined;
  if (!heredoc.content.startsWith('#!')) return { text: heredoc.content, options, isHeredoc: true };
  const [line = ''] = heredoc.content.split('\n', 1);
  const interpreter = /^#!\s*(?:\S*\/)?(?:env\s+(?:-S\s+)?)?(\w+)(.*)$/.exec(line);
  if (!interpreter || !shells.includes(interpreter[1] ?? '')) return undefined;
  return { text: heredoc.content, options: wordsOf(interpreter[2] ?? ''), isHeredoc: true };
}

const wordsOf = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/** The name of a program, without its directory. */
export const programOf = (words: readonly string[]): string => posix.basename(words[0] ?? '');
