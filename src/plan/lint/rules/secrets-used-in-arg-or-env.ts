import { splitKeyValue } from '../../../../grammar/key-values.ts';
import { quote } from '../../go-format.ts';
import type { Rule, StepView } from '../rule.ts';

const secret = /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmless = /(?:_|^)(?:public|file|version)(?:_|$)/i;

export const secretsUsedInArgOrEnv: Rule = {
  name: 'SecretsUsedInArgOrEnv',
  description: 'Sensitive data should not be used in the ARG or ENV commands',
  url: 'https://docs.docker.com/go/dockerfile/rule/secrets-used-in-arg-or-env/',
  step(step, report) {
    const { name } = step.instruction;
    if (name !== 'ARG' && name !== 'ENV') return;
    for (const key of keysOf(step)) {
      if (!secret.test(key) || harmless.test(key)) continue;
      report(`Do not use ARG or ENV instructions for sensitive data (${name} ${quote(key)})`, step.lines);
    }
  },
};

/** Names of ENV may have variables in them. */
function keysOf({ instruction: { name, form, args }, expand }: StepView): readonly string[] {
  const keys = form === 'legacy' ? args.slice(0, 1) : args.map((word) => splitKeyValue(word)?.name ?? word);
  return name === 'ARG' ? keys : keys.map((key) => expand(key).text);
}
