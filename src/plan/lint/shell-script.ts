// Reads the text of a RUN as a shell would, as far as our rules need it: the simple commands, and what stands between them. Where the
// text has something that this does not know, there is no answer, and the rules say nothing.

/** One simple command. */
export interface ShellCommand {
  /** Its words, as written; assignments and prefixes as `sudo` are left out. Empty for the end of a group. */
  readonly words: readonly string[];
  /** What follows: a separator, or nothing at the end of the script. */
  readonly after: '|' | '&&' | '||' | ';' | '&' | '';
  /** Groups, loops and conditions around it. */
  readonly depth: number;
  /** Whether its failure is asked for, as that of `if` and `!` is. */
  readonly isCondition: boolean;
}

/** Longer scripts are not looked at. */
const maxLength = 64 * 1024;

/** The commands of a script, in order; undefined where it is not understood. */
export function shellCommands(script: string): readonly ShellCommand[] | undefined {
  if (script.length > maxLength) return undefined;
  const tokens = tokenize(script);
  if (!tokens) return undefined;
  const commands: ShellCommand[] = [];
  let depth = 0;
  let words: string[] = [];
  for (const token of [...tokens, ';']) {
    if (!isOperator(token)) {
      words.push(token);
      continue;
    }
    const opened = openers(words);
    depth += opened.depth;
    if (depth < 0 || opened.isUnknown) return undefined;
    const after = operators[token] ?? ';';
    if (words.length > 0) commands.push({ words: opened.rest, after, depth, isCondition: opened.isCondition });
    words = [];
  }
  if (depth !== 0) return undefined;
  const last = commands.at(-1);
  return last ? [...commands.slice(0, -1), { ...last, after: '' }] : [];
}

const operators: Readonly<Record<string, ShellCommand['after']>> = {
  '|': '|',
  '|&': '|',
  '&&': '&&',
  '||': '||',
  ';': ';',
  '\n': ';',
  '&': '&',
};

const isOperator = (token: string): boolean => Object.hasOwn(operators, token);

const opening: readonly string[] = ['if', 'while', 'until', 'for', '{', '('];
const closing: readonly string[] = ['fi', 'done', '}', ')'];
const between: readonly string[] = ['then', 'do', 'else', 'elif', '!', 'time'];
const prefixes: readonly string[] = ['sudo', 'env', 'command', 'exec', 'nice', 'builtin'];

/** Takes the words of the language from the front. */
function openers(words: readonly string[]): { rest: readonly string[]; depth: number; isCondition: boolean; isUnknown: boolean } {
  let [at, depth, isCondition] = [0, 0, false];
  for (; at < words.length; at++) {
    const word = words[at] ?? '';
    if (opening.includes(word)) depth++;
    else if (closing.includes(word)) depth--;
    else if (!between.includes(word)) break;
    if (['if', 'elif', 'while', 'until', '!'].includes(word)) isCondition = true;
    if (word === 'for') return { rest: [], depth, isCondition: true, isUnknown: false };
  }
  const rest = words.slice(at);
  // A closing word further on is one of a line that we have not understood.
  const isUnknown = ['case', 'select', 'function', 'coproc'].includes(rest[0] ?? '') || rest.some((word) => word === '(' || word === ')');
  return { rest: withoutPrefix(rest), depth, isCondition: isCondition || rest[0] === '[' || rest[0] === 'test', isUnknown };
}

function withoutPrefix(words: readonly string[]): readonly string[] {
  let at = 0;
  while (prefixes.includes(words[at] ?? '') || /^[A-Za-z_]\w*\+?=/.test(words[at] ?? '')) at++;
  return words.slice(at);
}

/** Words, operators and parentheses; undefined for what is not known. */
function tokenize(script: string): string[] | undefined {
  const tokens: string[] = [];
  let word = '';
  let at = 0;
  const end = (): void => {
    if (word !== '') tokens.push(word);
    word = '';
  };
  while (at < script.length) {
    const rest = script.slice(at, at + 3);
    const [character = ''] = rest;
    const length = quotedLength(script, at);
    if (length === undefined) return undefined;
    if (length > 0) {
      word += rest.startsWith('\\\n') ? '' : script.slice(at, at + length);
      at += length;
    } else if (character === '#' && word === '') at = endOfLine(script, at);
    else if (rest.startsWith('<<') || rest.startsWith(';;') || rest.startsWith('((')) return undefined;
    else if (/^(?:[<>]&|&>|>\|)/.test(rest)) {
      word += rest.slice(0, 2);
      at += 2;
    } else if (/[\s;&|()]/.test(character)) {
      const operator = /^(?:&&|\|\||\|&|[;&|()\n])/.exec(rest)?.[0];
      end();
      if (operator) tokens.push(...(operator === ')' ? [';', ')'] : [operator]));
      at += operator?.length ?? 1;
    } else {
      word += character;
      at++;
    }
  }
  end();
  return tokens.some((token) => token === '[[') ? undefined : tokens;
}

const endOfLine = (script: string, at: number): number => {
  const feed = script.indexOf('\n', at);
  return feed === -1 ? script.length : feed;
};

/** The length of what is quoted, escaped or substituted at `at`: 0 for nothing of that kind, undefined where its end is missing. */
function quotedLength(script: string, at: number): number | undefined {
  const [character, next] = [script[at], script[at + 1]];
  if (character === '\\') return 2;
  if (character === "'") return closed(script.indexOf("'", at + 1), at);
  if (character === '`') return closed(script.indexOf('`', at + 1), at);
  if (character === '"') return nestedLength(script, at + 1, '"', at);
  if (character === '$' && next === '(') return nestedLength(script, at + 2, ')', at);
  if (character === '$' && next === '{') return nestedLength(script, at + 2, '}', at);
  return 0;
}

const closed = (end: number, at: number): number | undefined => (end === -1 ? undefined : end + 1 - at);

/** Without recursion: what is open is a stack. */
function nestedLength(script: string, from: number, close: string, start: number): number | undefined {
  const open = [close];
  for (let at = from; at < script.length; at++) {
    const [character, top] = [script[at], open.at(-1)];
    if (character === '\\') at++;
    else if (character === top) {
      open.pop();
      if (open.length === 0) return at + 1 - start;
    } else if (character === '$' && (script[at + 1] === '(' || script[at + 1] === '{')) open.push(script[++at] === '(' ? ')' : '}');
    else if (top !== '"' && character === '"') open.push('"');
    else if (top === ')' && character === '(') open.push(')');
    else if (top !== '"' && character === "'") {
      at = script.indexOf("'", at + 1);
      if (at === -1) return undefined;
    }
  }
  return undefined;
}
