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
    const value = buildArgs.get(name) ?? buildArgs.get(lower) ?? environment[lower] ?? environment[name];
    return value ? [`${name}=${value}`, `${lower}=${value}`] : [];
  });
}
