import { BuildError } from '../../../diagnostics/build-error.ts';
import { type Platform, parsePlatform } from '../../../oci/platform.ts';
import { quote } from '../../go-format.ts';
import type { Rule } from '../rule.ts';

export const fromPlatformFlagConstDisallowed: Rule = {
  name: 'FromPlatformFlagConstDisallowed',
  description: 'FROM --platform flag should not use a constant value',
  url: 'https://docs.docker.com/go/dockerfile/rule/from-platform-flag-const-disallowed/',
  from({ from, platform }, report) {
    if (!platform || platform.error !== undefined || platform.unset.length > 0 || platform.used.size > 0) return;
    const parsed = parse(platform.text);
    const stage = from.args[2]?.toLowerCase() ?? '';
    // A stage that is named after its platform says that it means it.
    if (!parsed || stage.includes(parsed.os) || stage.includes(parsed.architecture)) return;
    report(`FROM --platform flag should not use constant value ${quote(platform.text)}`, from.lines);
  },
};

function parse(text: string): Platform | undefined {
  try {
    return parsePlatform(text);
  } catch (error) {
    if (error instanceof BuildError) return undefined;
    throw error;
  }
}
