import { BuildError } from './diagnostics/build-error.ts';
import type { SourceRange } from './diagnostics/source-range.ts';
import type { Spec } from './graph/spec.ts';
import type { Plan } from './plan/plan.ts';
import { isProxyVariable } from './plan/proxy-env.ts';
import type { SecretGuard } from './secret/guard.ts';

const hint = 'a RUN reads it with --mount=type=secret,id=ID; where it is no secret, say scan=false in --secret';

/** Throws SECRET_LEAKED where a text that would be in the image, or in a cache key, holds a secret. */
export function refuseSecret(guard: SecretGuard, text: string | Uint8Array, where: string, range?: SourceRange): void {
  const id = guard.find(text);
  if (id === undefined) return;
  throw new BuildError('SECRET_LEAKED', `${where} holds the secret "${id}"`, { range, hint });
}

/** What the user says besides the Dockerfile. Proxies are in no image and no key. */
export function searchArguments({ buildArgs = {}, names, annotations = [] }: Arguments, guard: SecretGuard): void {
  for (const [name, value] of Object.entries(buildArgs)) {
    if (!isProxyVariable(name)) refuseSecret(guard, `${name}=${value}`, `the build argument "${name}"`);
  }
  for (const name of names) refuseSecret(guard, name, 'the name of the image');
  for (const { name, value } of annotations) refuseSecret(guard, `${name}=${value}`, `the annotation "${name}"`);
}

interface Arguments {
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
  readonly names: readonly string[];
  readonly annotations?: readonly { readonly name: string; readonly value: string }[] | undefined;
}

/** All that steps are made of, also those of other stages: it is in their cache keys. And the config to be. */
export function searchPlan({ vertices, config, author }: Plan, guard: SecretGuard): void {
  if (guard.knowsNothing) return;
  for (const { spec, origin } of vertices) {
    refuseSecret(guard, textsOf(keyedPart(spec)), 'this instruction', origin);
  }
  for (const [name, value] of Object.entries({ ...config, author })) {
    refuseSecret(guard, textsOf(value), `"${name}" of the image's config`);
  }
}

/** Proxies are given to programs, and are no part of anything that stays. */
const keyedPart = (spec: Spec): object => (spec.kind === 'exec' ? { ...spec, proxyEnv: [] } : spec);

/** Side by side: no text goes on in the next. */
const textsOf = (value: unknown): string => [...stringsOf(value)].join('\0');

/** All texts in plain data, names of fields too. */
function* stringsOf(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    if (!Array.isArray(value)) yield name;
    yield* stringsOf(each);
  }
}
