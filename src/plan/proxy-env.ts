const names: readonly string[] = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** Whether --build-arg may give this variable without any ARG that declares it. */
export const isProxyVariable = (name: string): boolean => names.includes(name.toUpperCase());

/**
 * The predefined proxy variables that RUN gets, in both cases, as `NAME=value`. A build argument counts before the caller's environment.
 * They are no part of any key and of no history: where the builder stands says nothing about what it builds.
 */
export function proxyEnv(
  buildArgs: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>> = {},
): readonly string[] {
  return names.flatMap((name) => {
    const lower = name.toLowerCase();
    const value = givenProxy(name, buildArgs) ?? environment[lower] ?? environment[name];
    return value ? [`${name}=${value}`, `${lower}=${value}`] : [];
  });
}

/**
 * What one step gets of `all`: a build argument goes before an ENV or ARG of the same name, as in BuildKit, the caller's environment does not.
 */
export function proxyEnvOfStep(
  all: readonly string[],
  { buildArgs, scope }: { readonly buildArgs: ReadonlyMap<string, string>; readonly scope: ReadonlyMap<string, string> },
): readonly string[] {
  return all.filter((variable) => {
    const name = variable.slice(0, variable.indexOf('='));
    return !scope.has(name) || givenProxy(name.toUpperCase(), buildArgs) !== undefined;
  });
}

/** In any case; of several the last by its bytes counts: lower case. Source: BuildKit, `proxyEnvFromBuildArgs`. */
function givenProxy(name: string, buildArgs: ReadonlyMap<string, string>): string | undefined {
  const spellings = [...buildArgs.keys()].filter((key) => key.toUpperCase() === name).toSorted();
  const last = spellings.at(-1);
  return last === undefined ? undefined : buildArgs.get(last);
}
