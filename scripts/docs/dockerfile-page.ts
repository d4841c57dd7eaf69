import { instructions } from '../../grammar/instructions/index.ts';
import type { InstructionSyntax } from '../../grammar/instructions/syntax.ts';
import { type Example, flagExamples, forms } from './dockerfile-examples.ts';
import { code, generatedFrom, markdownPage, markdownTable, prose } from './markdown.ts';
import { tryPlan } from './try-plan.ts';

/** docs/dockerfile.md: every instruction, form and flag, and what the planner does with it. It is asked, so that the page cannot err. */
export async function dockerfilePage(): Promise<string> {
  return markdownPage([
    '# Dockerfiles',
    generatedFrom('grammar/instructions and what src/plan does with an example of each'),
    'The language is that of the Dockerfile reference, frontend 1.26, as [grammar.md](grammar.md) has it. What is valid but cannot be done here ends the build ' +
      'before anything runs, with the error `UNSUPPORTED`, its line and what to use instead; nothing is silently ignored. Where cooper is not BuildKit, ' +
      '[differences.md](differences.md) says so. How each flag behaves is what ' +
      'the reference says; [cli.md](cli.md) has the options of the command.',
    ...(await Promise.all(instructions.map(section))).flat(),
    '## Directives',
    markdownTable(
      ['directive', 'state'],
      [
        [code('# escape=`'), 'built'],
        [code('# syntax=IMAGE'), 'read; there is one frontend, this one, and no image is fetched for it'],
        [code('# check=…'), 'built: says which [rules](rules/README.md) count'],
      ],
    ),
  ]);
}

async function section(syntax: InstructionSyntax): Promise<string[]> {
  const { name, synopsis, flags } = syntax;
  const examples = forms[name];
  if (!examples) throw new TypeError(`${name} has no example`);
  const formRows = examples.map(async (example) => [code(firstLine(example)), example.shows ?? '', await state(example.text)]);
  const flagRows = Object.entries(flags).map(async ([flag, { meaning, repeatable }]) => {
    const text = flagExamples[name]?.[flag];
    if (!text?.includes(`--${flag}`)) throw new TypeError(`the flag "--${flag}" of ${name} has no example`);
    return [code(`--${flag}`), `${prose(meaning)}${repeatable ? '; may be given several times' : ''}`, await state(text)];
  });
  return [
    `## ${name}`,
    code(synopsis),
    markdownTable(['form', 'what it is', 'state'], await Promise.all(formRows)),
    ...(flagRows.length > 0 ? [markdownTable(['flag', 'what it says', 'state'], await Promise.all(flagRows))] : []),
  ];
}

async function state(text: string): Promise<string> {
  const error = await tryPlan(text.startsWith('FROM') ? `${text}\n` : `FROM base\n${text}\n`);
  if (!error) return 'built';
  return `**${error.code}**: ${prose(error.message)}${error.hint ? `; ${prose(error.hint)}` : ''}`;
}

/** A heredoc takes several lines; a table has room for the first. */
const firstLine = ({ text }: Example): string => text.split('\n').join(' ⏎ ');
