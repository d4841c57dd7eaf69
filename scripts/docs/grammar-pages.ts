import { ebnfRule } from './ebnf.ts';
import { code, generatedFrom, markdownPage, markdownTable } from './markdown.ts';
import { productions, terminals } from './productions.ts';
import { railroadDiagrams } from './railroad.ts';

const introduction =
  'What the parser takes for a Dockerfile. Whether the number and the values of arguments are right is looked at afterwards, so that an error in one ' +
  'line never takes the next one with it.';

/** docs/grammar.md: the rules as text. */
export function grammarPage(): string {
  const rows = Object.values(terminals).filter(({ meaning }) => meaning !== '');
  return markdownPage([
    '# Grammar',
    generatedFrom('grammar/rules.ts'),
    `${introduction} As railroad diagrams: [grammar.html](grammar.html).`,
    `\`\`\`\n${productions().map(ebnfRule).join('\n')}\n\`\`\``,
    '`?` at most once, `*` any number of times, `+` at least once. Names of instructions are taken in any case. Comments and empty lines may stand ' +
      'everywhere but within a heredoc.',
    markdownTable(
      ['token', 'what it is'],
      rows.map(({ shown, meaning }) => [code(`<${shown}>`), meaning]),
    ),
  ]);
}

/** docs/grammar.html: the same as diagrams. One file, without scripts, that fetches nothing. */
export function diagramPage(): string {
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Grammar of Dockerfiles</title>
${generatedFrom('grammar/rules.ts')}
<style>
body { font-family: sans-serif; margin: 2em; max-width: 70em }
h2 { font: bold 1.1em monospace; margin: 2em 0 0 }
path { fill: none; stroke: #333; stroke-width: 2 }
rect { fill: #e4f1e4; stroke: #333; stroke-width: 2 }
.non-terminal rect { fill: #e2e9f7 }
text { font: bold 14px monospace; text-anchor: middle }
</style>
<h1>Grammar of Dockerfiles</h1>
<p>${introduction} As text, with what the tokens are: <a href="grammar.md">grammar.md</a>.</p>
${railroadDiagrams(productions()).replaceAll('<h2', '\n<h2')}
</html>
`;
}
