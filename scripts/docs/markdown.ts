/** A table; cells are markdown already, but for what would end them. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Paragraphs, tables and lists, with an empty line between them. */
export const markdownPage = (blocks: readonly string[]): string => `${blocks.join('\n\n')}\n`;

/** Says that a page is not to be edited. */
export const generatedFrom = (sources: string): string => `<!-- Made by "npm run docs" from ${sources}: change that, not this page. -->`;

/** With two backticks around a text that has one. */
export const code = (text: string): string => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``);

/** A text from a table of the source as prose, where a name in angle brackets would be taken for HTML. */
export const prose = (text: string): string => text.replaceAll('<', '&lt;');
