import { BuildError } from '../diagnostics/build-error.ts';

/** Source: OCI image-spec, image-index.md, `platform`. `architecture` is Go's GOARCH. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
}

const architectureAliases: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  i386: '386',
  i486: '386',
  i586: '386',
  i686: '386',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm/v6',
};

const operatingSystems = new Set([
  'linux',
  'windows',
  'darwin',
  'freebsd',
  'netbsd',
  'openbsd',
  'dragonfly',
  'solaris',
  'android',
  'wasi',
  'js',
]);
const architectures = new Set('386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x wasm'.split(' '));

/** GOARCH of what `process.arch` says. */
const nodeArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mipsel: 'mipsle' };

/** The platform that runs here without emulation. Containers are Linux ones, whatever the host calls itself. */
export function hostPlatform(architecture: string = process.arch): Platform {
  return normalizePlatform({ os: 'linux', architecture: nodeArchitectures[architecture] ?? architecture });
}

/**
 * Reads `os`, `arch`, `os/arch` or `os/arch/variant`, the system with its version in parentheses; what is left out is the host's. Throws PLATFORM_UNSUPPORTED.
 * Source: containerd/platforms, `Parse`.
 */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = text.split('/');
  // `windows(10.0.17763)/amd64`: a version belongs to the system.
  const [, system = '', version] = /^([^(]*)\((.*)\)$/.exec(parts[0] ?? '') ?? [];
  if (version !== undefined) {
    if (!/^[A-Za-z0-9_.-]{1,64}$/.test(version)) throw invalid(text);
    return { ...parsePlatform([system, ...parts.slice(1)].join('/'), host), 'os.version': version };
  }
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(part))) throw invalid(text);
  const [first = '', second, variant] = parts;
  if (second !== undefined) return normalizePlatform({ os: first, architecture: second, ...(variant === undefined ? {} : { variant }) });
  const alone = normalizePlatform({ os: host.os, architecture: first });
  if (architectures.has(alone.architecture)) return alone;
  if (operatingSystems.has(first.toLowerCase())) return { ...host, os: first.toLowerCase() };
  throw invalid(text);
}

/** `linux/amd64`, `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** One spelling of each platform: `x86_64` is `amd64`, `arm64/v8` is `arm64`, `arm` is `arm/v7`. Source: containerd/platforms, database.go. */
export function normalizePlatform(platform: Platform): Platform {
  const { variant: givenVariant, ...rest } = platform;
  const lower = platform.architecture.toLowerCase();
  const [architecture = lower, impliedVariant] = (architectureAliases[lower] ?? lower).split('/');
  const variant = normalizeVariant(architecture, (givenVariant || impliedVariant)?.toLowerCase());
  return { ...rest, os: platform.os.toLowerCase(), architecture, ...(variant === undefined ? {} : { variant }) };
}

function normalizeVariant(architecture: string, variant: string | undefined): string | undefined {
  const named = variant !== undefined && /^\d/.test(variant) ? `v${variant}` : variant;
  if (architecture === 'arm') return named ?? 'v7';
  if (architecture === 'arm64' && (named === 'v8' || named === 'v8.0')) return undefined;
  if (architecture === 'amd64' && named === 'v1') return undefined;
  return named;
}

/**
 * The best of `candidates` for `wanted`: same system and architecture, the newest variant that `wanted` can run (an `arm/v7` runs
 * `arm/v6`, not the other way round). Undefined when there is none.
 */
export function selectPlatform<T extends { readonly platform?: Platform }>(candidates: readonly T[], wanted: Platform): T | undefined {
  const target = normalizePlatform(wanted);
  let best: { candidate: T; rank: number } | undefined;
  for (const candidate of candidates) {
    const rank = candidate.platform ? rankOf(normalizePlatform(candidate.platform), target) : undefined;
    if (rank !== undefined && (best === undefined || rank > best.rank)) best = { candidate, rank };
  }
  return best?.candidate;
}

/** Whether an image of platform `offered` can be used where `wanted` is asked for. */
export function platformMatches(offered: Platform, wanted: Platform): boolean {
  return rankOf(normalizePlatform(offered), normalizePlatform(wanted)) !== undefined;
}

/** Higher is better; undefined: does not run there. Both are normalized. */
function rankOf(offered: Platform, wanted: Platform): number | undefined {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return undefined;
  if (offered.variant === wanted.variant) return Number.POSITIVE_INFINITY;
  const have = variantLevel(offered);
  const want = variantLevel(wanted);
  return have !== undefined && want !== undefined && have <= want ? have : undefined;
}

/** 7 for `v7`, 8.1 for `v8.1`; a missing variant is the architecture's first. */
function variantLevel({ architecture, variant }: Platform): number | undefined {
  if (variant === undefined) return architecture === 'arm64' ? 8 : architecture === 'amd64' ? 1 : undefined;
  const match = /^v(\d+(?:\.\d+)?)$/.exec(variant);
  return match ? Number(match[1]) : undefined;
}

function invalid(text: string): BuildError {
  return new BuildError('PLATFORM_UNSUPPORTED', `"${text}" is not a platform`, {
    hint: 'write "os/architecture", as in "linux/amd64" or "linux/arm/v7"',
  });
}
