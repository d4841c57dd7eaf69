/**
 * The replacement of `${v//p/r}` is a template of Go's regexp there, though not of `${v/p/r}`: "$0" is the match, other names are empty,
 * "$$" is a dollar. Source: regexp.Expand of Go, which BuildKit gives the replacement to.
 */
export function expandTemplate(template: string, match: string): string {
  if (!template.includes('$')) return template;
  return template.replace(REFERENCE, (_, dollar?: string, name?: string, braced?: string) => {
    if (dollar) return '$';
    return (name ?? braced) === '0' ? match : '';
  });
}

const REFERENCE = /\$(?:(\$)|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu;
