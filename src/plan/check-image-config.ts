import { BuildError } from '../diagnostics/build-error.ts';
import type { ContainerConfig, ImageConfig } from '../oci/image-config.ts';

type Check = (value: unknown) => boolean;

const isString: Check = (value) => typeof value === 'string';
const isList: Check = (value) => Array.isArray(value) && value.every(isString);
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNumberOrAbsent: Check = (value) => value === undefined || Number.isFinite(value);

const checks: Readonly<Record<keyof ContainerConfig, Check>> = {
  User: isString,
  ExposedPorts: isObject,
  Env: isList,
  Entrypoint: isList,
  Cmd: isList,
  Volumes: isObject,
  WorkingDir: isString,
  Labels: (value) => isObject(value) && Object.values(value).every(isString),
  StopSignal: isString,
  ArgsEscaped: (value) => typeof value === 'boolean',
  Healthcheck: isHealthcheck,
  OnBuild: isList,
  Shell: isList,
};

/** The config of a base comes from a registry, and is JSON of any shape. Throws IMAGE_INVALID where we could not go on with it. */
export function checkImageConfig(reference: string, config: ImageConfig): void {
  const container: unknown = config.config ?? {};
  if (!isObject(container)) throw invalid(reference, 'config');
  for (const [name, check] of Object.entries(checks)) {
    const value: unknown = (container as Record<string, unknown>)[name] ?? undefined;
    if (value !== undefined && !check(value)) throw invalid(reference, name);
  }
  if (config.author !== undefined && !isString(config.author)) throw invalid(reference, 'author');
  const history: unknown = config.history ?? [];
  if (!Array.isArray(history) || !history.every(isObject)) throw invalid(reference, 'history');
}

function isHealthcheck(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { Test, Interval, Timeout, StartPeriod, StartInterval, Retries } = value as Record<string, unknown>;
  return (Test === undefined || isList(Test)) && [Interval, Timeout, StartPeriod, StartInterval, Retries].every(isNumberOrAbsent);
}

const invalid = (reference: string, field: string): BuildError =>
  new BuildError('IMAGE_INVALID', `the config of "${reference}" has a "${field}" that is not of its type`);
