import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildError } from '../diagnostics/build-error.ts';
import { readBoundedFile } from './read-bounded.ts';

/** Certificates of authorities for the steps of a build, PEM and nothing else. */
export interface Certificates {
  /** What the user asked for. */
  readonly added: string;
  /** This machine's bundle, for images that have none; empty where the machine has none. */
  readonly usual: string;
}

/** Where distributions have their bundle. Source: Go, crypto/x509, `certFiles`. */
const places: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** More than any bundle has. */
const maxBytes = 4 * 1024 * 1024;
/** A key beside a certificate, in the same file, is nobody's to give away. */
const block = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * What `--ca-certificates` gives: a file, the files `*.crt` and `*.pem` of a directory, or without `source` this machine's bundle, which
 * SSL_CERT_FILE may name. Throws ARG_INVALID where there is no certificate, and where what SSL_CERT_FILE names cannot be read.
 */
export async function readCertificates(
  source: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Certificates> {
  const usual = await machineBundle(environment.SSL_CERT_FILE);
  if (source === undefined) {
    if (usual !== '') return { added: usual, usual };
    throw new BuildError('ARG_INVALID', '"--ca-certificates": this machine has no bundle of certificates', {
      hint: 'name a file or a directory: --ca-certificates=FILE',
    });
  }
  const added = await readSource(source);
  if (added.length > maxBytes) throw new BuildError('ARG_INVALID', `"--ca-certificates=${source}" holds more than ${maxBytes} bytes`);
  if (added !== '') return { added, usual };
  throw new BuildError('ARG_INVALID', `"--ca-certificates=${source}" holds no certificate`, {
    hint: 'certificates are PEM, "-----BEGIN CERTIFICATE-----"; in a directory they are called *.crt or *.pem',
  });
}

async function machineBundle(named: string | undefined): Promise<string> {
  if (named) return namedBundle(named);
  for (const place of places) {
    // What cannot be read is not this machine's bundle; that there is none at all is said by who asks.
    const text = await readSource(place).catch(() => '');
    if (text !== '') return text;
  }
  return '';
}

/** Who names another bundle means that one: steps must not trust others because a file cannot be read. */
async function namedBundle(path: string): Promise<string> {
  const text = await readSource(path, `"${path}", which SSL_CERT_FILE names,`);
  if (text !== '') return text;
  throw new BuildError('ARG_INVALID', `"${path}", which SSL_CERT_FILE names, holds no certificate`, {
    hint: 'unset SSL_CERT_FILE, and the usual places of this machine count',
  });
}

async function readSource(source: string, what = `"--ca-certificates=${source}"`): Promise<string> {
  try {
    if (!(await stat(source)).isDirectory()) return await readBlocks(source);
    const names = (await readdir(source)).filter((name) => /\.(?:crt|pem)$/.test(name)).toSorted();
    return (await Promise.all(names.map((name) => readBlocks(join(source, name))))).join('');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new BuildError('ARG_INVALID', `${what} cannot be read: ${code ?? message}`, { cause: error });
  }
}

async function readBlocks(file: string): Promise<string> {
  const bytes = await readBoundedFile(file, maxBytes);
  if (!bytes) throw new Error(`it is longer than ${maxBytes} bytes`);
  return (bytes.toString('latin1').match(block) ?? []).map((found) => `${found}\n`).join('');
}
