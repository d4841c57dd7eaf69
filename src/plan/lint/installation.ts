import type { Instruction } from '../../../grammar/ast.ts';
import { programOf } from './run-script.ts';
import { shellCommands } from './shell-script.ts';

/** A command that brings what a list in the context names. */
export interface Installation {
  readonly tool: string;
  /** For people: `npm ci`. */
  readonly command: string;
}

/** What the words after a program's name have to be. Only what needs no more of the context than the list is named here. */
const tools: Readonly<Record<string, (words: readonly string[]) => boolean>> = {
  npm: ([verb = '', ...more]) => verb === 'ci' || verb === 'clean-install' || (['install', 'i'].includes(verb) && !more.some(isName)),
  yarn: ([verb = 'install', ...more]) => (verb === 'install' || verb.startsWith('-')) && !more.some(isName),
  pnpm: ([verb = '', ...more]) => verb === 'fetch' || (['install', 'i'].includes(verb) && !more.some(isName)),
  bun: ([verb = '', ...more]) => ['install', 'i'].includes(verb) && !more.some(isName),
  pip: isPip,
  pip3: isPip,
  python: ([flag, module, ...more]) => flag === '-m' && module === 'pip' && isPip(more),
  python3: ([flag, module, ...more]) => flag === '-m' && module === 'pip' && isPip(more),
  pipenv: ([verb = '', ...more]) => ['install', 'sync'].includes(verb) && !more.some(isName),
  poetry: (words) => words[0] === 'install' && words.includes('--no-root'),
  uv: (words) => words[0] === 'sync' && words.includes('--no-install-project'),
  bundle: ([verb = 'install']) => verb === 'install',
  composer: ([verb = '']) => verb === 'install',
  go: ([verb, what]) => verb === 'mod' && what === 'download',
  cargo: ([verb = '']) => verb === 'fetch',
  dotnet: ([verb = '']) => verb === 'restore',
  mix: (words) => words.includes('deps.get'),
  mvn: (words) => words.some((word) => /^dependency:(?:resolve|go-offline)/.test(word)),
};

/** The first such command of a RUN. One with a cache mount costs little, and does not count. */
export function installationIn({ name, form, args, flags, heredocs }: Instruction): Installation | undefined {
  if (name !== 'RUN' || flags.some(({ value = '' }) => /\btype=cache\b/.test(value))) return undefined;
  const script = heredocs.length === 1 ? (heredocs[0]?.content ?? '') : args.join(' ');
  const commands = form === 'exec' ? [{ words: args }] : (shellCommands(script) ?? []);
  for (const { words } of commands) {
    const tool = programOf(words);
    const isInstall = Object.hasOwn(tools, tool) ? tools[tool] : undefined;
    if (isInstall?.(words.slice(1)))
      return { tool, command: words.slice(0, tool.startsWith('python') ? 4 : tool === 'go' ? 3 : 2).join(' ') };
  }
  return undefined;
}

function isPip(words: readonly string[]): boolean {
  return (
    words[0] === 'install' && words.some((word) => /^(?:-r|--requirement)/.test(word)) && !words.includes('.') && !words.includes('-e')
  );
}

const isName = (word: string): boolean => !/^-|^\d*[<>]/.test(word);
