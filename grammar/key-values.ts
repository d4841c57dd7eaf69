/** `name=value` of ARG, ENV and LABEL. */
export interface KeyValue {
  readonly name: string;
  readonly value: string;
}

/** Splits at the first `=`; both sides stay as written, quoted and not expanded. Undefined without a `=`: a bare `ARG name`. */
export function splitKeyValue(word: string): KeyValue | undefined {
  const equals = word.indexOf('=');
  return equals === -1 ? undefined : { name: word.slice(0, equals), value: word.slice(equals + 1) };
}
