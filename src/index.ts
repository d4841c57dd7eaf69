// The library: what `import … from 'cooper'` gives.

export { type Build, type BuildResult, build } from './build.ts';
export type {
  AnnotationOption,
  BuildOptions,
  CacheFromOption,
  CachePlace,
  CacheToOption,
  CertificatesOption,
  HostOption,
  OutputOption,
  Permission,
  ResourceOptions,
  SecretOption,
  SecurityOptions,
  SshOption,
} from './build-options.ts';
export { BuildError } from './diagnostics/build-error.ts';
export { codes, type ErrorCode } from './diagnostics/codes.ts';
export type { SourceRange } from './diagnostics/source-range.ts';
export type { BuildEvent } from './progress/events.ts';
