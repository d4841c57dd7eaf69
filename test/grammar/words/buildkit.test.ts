// Every row of expansion.jsonl is an answer of BuildKit 0.32.2's own shell lexer: the text of its `ProcessWord`, the words of its
// `ProcessWords`, and the names that were looked up in vain.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { expandWord, expandWords } from '../../../grammar/words/expand.ts';

interface Row {
  readonly word: string;
  readonly escape?: '`';
  readonly quotes?: 'keep';
  readonly text?: string;
  readonly words?: readonly string[];
  readonly unset?: readonly string[];
  /** BuildKit's message; ours differ, but for those of `:?`. */
  readonly fails?: string;
}

const [head = '', ...lines] = readFileSync(new URL('expansion.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');
const variables = new Map(Object.entries(JSON.parse(head).variables as Record<string, string>));
const lookup = (name: string): string | undefined => variables.get(name);

for (const line of lines) {
  const { word, escape: escapeCharacter = '\\', quotes = 'remove', fails, ...want } = JSON.parse(line) as Row;
  test(`expansion: ${JSON.stringify(word)}${quotes === 'keep' ? ' in a heredoc' : ''}${escapeCharacter === '`' ? ' with backticks' : ''}`, () => {
    const options = { escape: escapeCharacter, quotes } as const;
    const { text, unset, error } = expandWord(word, lookup, options);
    const { words, error: wordsError } = expandWords(word, lookup, options);
    if (fails === undefined) assert.deepEqual({ text, words, unset: unset.toSorted() }, want);
    assert.equal(error !== undefined, fails !== undefined, error);
    assert.equal(wordsError, error);
    if (fails !== undefined && /^\w+: /.test(fails) && !/^(?:syntax error|invalid pattern|unsupported modifier)/.test(fails))
      assert.equal(error, fails);
  });
}
