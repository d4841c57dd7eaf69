import { BuildError } from '../../diagnostics/build-error.ts';

/**
 * Reads `id=x,src=y`: fields separated by commas as in CSV, each `key=value` or a key alone (then the value is undefined). A field in
 * double quotes may hold commas, and `""` for a quote. `shown` takes the place of the text in messages. Throws ARG_INVALID for a key that comes twice or a quote that stays open.
 */
export function parseFields(text: string, option: string, shown = `"${text}"`): ReadonlyMap<string, string | undefined> {
  const fields = new Map<string, string | undefined>();
  for (const field of splitCsv(text, option, shown)) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    if (key === '') throw new BuildError('ARG_INVALID', `"${option}" has an empty field in ${shown}`, { hint });
    if (fields.has(key)) throw new BuildError('ARG_INVALID', `"${option}" says "${key}" twice in ${shown}`, { hint });
    fields.set(key, equals < 0 ? undefined : field.slice(equals + 1));
  }
  return fields;
}

const hint = 'it is a list such as key=value,key=value; a field with a comma stands in quotes, as a whole';

/** Source: RFC 4180, one record. A quote inside an unquoted field stands for itself. */
function splitCsv(text: string, option: string, shown: string): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",][^,]*|))(,|$)/y;
  for (;;) {
    const match = field.exec(text);
    if (!match) throw new BuildError('ARG_INVALID', `"${option}" has a quote that does not fit in ${shown}`, { hint });
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return fields;
  }
}
