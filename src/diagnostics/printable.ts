// What comes from a Dockerfile, a registry or a program must not steer the terminal that it is shown on.

/** C0, DEL and C1 (0x9b alone begins an escape sequence). */
const controls = /\p{Cc}/gu;
/** Bidirectional overrides (they show a line in another order), line separators, marks that are not seen. */
const deceptive = /[\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/g;

/** The text with control characters made visible (ESC as `␛`), but for tabs and line breaks. Never longer than the text. */
export function printable(text: string): string {
  return text.replace(controls, picture).replace(deceptive, '\ufffd');
}

function picture(control: string): string {
  const code = control.charCodeAt(0);
  if (control === '\t' || control === '\n') return control;
  if (code >= 0x80) return '\ufffd';
  return code === 0x7f ? '\u2421' : String.fromCharCode(0x2400 + code);
}

const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const wide =
  /^[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]$/u;

/** How many cells a terminal gives one character (a code point): 0, 1 or 2. Near enough to Unicode's East Asian Width for pointing at it. */
export function cellsOf(character: string): number {
  if (character < '\u0300') return 1;
  if (zeroWidth.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}
