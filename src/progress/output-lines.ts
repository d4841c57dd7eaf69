import { printable } from '../diagnostics/printable.ts';

/** A line that grows beyond this many characters is shown in pieces. */
const maxLine = 16 * 1024;

/**
 * Cuts a program's output into whole lines that can stand in a log: one instance for each stream of each step. What moves the cursor,
 * clears or renames the terminal is taken out; colours stay. A carriage return begins the line again, as on a terminal, so that of a
 * progress bar its last state is shown.
 */
export class OutputLines {
  #rest = '';

  /** The lines that `text` completes, without their line breaks. */
  push(text: string): string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = afterReturn(lines.pop() ?? '');
    const done = lines.map(clean);
    while (this.#rest.length > maxLine) {
      done.push(clean(this.#rest.slice(0, maxLine)));
      this.#rest = this.#rest.slice(maxLine);
    }
    return done;
  }

  /** What is left without a line break, as a line; nothing when there is none. */
  end(): string[] {
    const rest = clean(this.#rest);
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}

/** What a terminal would show of a line with carriage returns: what comes after the last one that something follows. */
function afterReturn(line: string): string {
  const content = line.replace(/\r+$/, '');
  const begin = content.lastIndexOf('\r') + 1;
  return line.slice(begin);
}

// Control sequences (ECMA-48) in their 7-bit and 8-bit forms. Only CSI … m (colours and weights) is kept.
const esc = '\u001b';
/** CSI: parameters, intermediates, a final byte. */
const csi = `(?:${esc}\\[|\u009b)([0-?]*)[ -/]*([@-~]|$)`;
/** OSC, DCS, SOS, PM and APC: anything up to the terminator or the end of the line. */
const controlString = `(?:${esc}[\\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|${esc}\\\\|\u009c|$)`;
const shortEscape = `${esc}[ -/]*[0-~]?`;
const sequences = new RegExp(`${csi}|${controlString}|${shortEscape}`, 'g');
const colors = new RegExp(`(${esc}\\[[0-9;:]*m)`);

function clean(line: string): string {
  const kept = afterReturn(line)
    .replace(/\r+$/, '')
    .replace(sequences, (_sequence, parameters, final) => {
      return final === 'm' && /^[0-9;:]*$/.test(parameters) ? `\u001b[${parameters}m` : '';
    });
  const parts = kept.split(colors).map((part, index) => (index % 2 === 1 ? part : printable(part.replaceAll('\b', ''))));
  // A colour that the program left on must not run into the next line, which is another step's.
  return parts.length > 1 ? `${parts.join('')}\u001b[0m` : parts.join('');
}
