import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { EncryptedKeyError, parseOpensshKey } from './openssh-key.ts';
import { integerField, stringField, WireError } from './wire.ts';

/** A private key that signs, and never shows itself. */
export interface PrivateKey {
  /** The public key, as SSH writes it. */
  readonly blob: Buffer;
  /** The signature of `data`, as SSH writes it. `flags` are those of a request to an agent. */
  sign(data: Uint8Array, flags: number): Buffer;
}

/** Hashes for curves. Source: RFC 5656, section 6.2.1. */
const curveHashes: Readonly<Record<string, string>> = { 'P-256': 'sha256', 'P-384': 'sha384', 'P-521': 'sha512' };
/** Bits of `flags`. Source: draft-miller-ssh-agent, section 4.5.1. */
const rsaSha256 = 2;
const rsaSha512 = 4;

/** Reads a private key in PEM, in any form that OpenSSH writes. Throws EncryptedKeyError, or any other Error for what is no key. */
export function parsePrivateKey(pem: string): PrivateKey {
  const key = keyObject(pem);
  const { kty, crv, x, y, n, e } = createPublicKey(key).export({ format: 'jwk' });
  const bytes = (text: unknown): Buffer => Buffer.from(typeof text === 'string' ? text : '', 'base64url');
  if (kty === 'OKP' && crv === 'Ed25519') {
    const blob = Buffer.concat([stringField('ssh-ed25519'), stringField(bytes(x))]);
    return { blob, sign: (data) => signature('ssh-ed25519', sign(null, data, key)) };
  }
  if (kty === 'RSA') {
    const blob = Buffer.concat([stringField('ssh-rsa'), integerField(bytes(e)), integerField(bytes(n))]);
    return { blob, sign: (data, flags) => signWithRsa(key, data, flags) };
  }
  const hash = kty === 'EC' && crv !== undefined ? curveHashes[crv] : undefined;
  if (hash === undefined || crv === undefined) throw new WireError(`keys of type "${crv ?? kty}" cannot be used`);
  const curve = crv.replace('P-', 'nistp');
  const name = `ecdsa-sha2-${curve}`;
  const point = Buffer.concat([Buffer.of(4), bytes(x), bytes(y)]);
  const blob = Buffer.concat([stringField(name), stringField(curve), stringField(point)]);
  return { blob, sign: (data) => signature(name, twoIntegers(sign(hash, data, { key, dsaEncoding: 'ieee-p1363' }))) };
}

function keyObject(pem: string): KeyObject {
  if (pem.includes('BEGIN OPENSSH PRIVATE KEY')) return createPrivateKey({ key: parseOpensshKey(pem), format: 'jwk' });
  // Both forms of PEM say it in clear.
  if (/^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(pem)) throw new EncryptedKeyError('it is encrypted');
  return createPrivateKey(pem);
}

/** Source: RFC 8332. Without a flag it is the old form, with SHA-1. */
function signWithRsa(key: KeyObject, data: Uint8Array, flags: number): Buffer {
  if (flags & rsaSha512) return signature('rsa-sha2-512', sign('sha512', data, key));
  if (flags & rsaSha256) return signature('rsa-sha2-256', sign('sha256', data, key));
  return signature('ssh-rsa', sign('sha1', data, key));
}

const signature = (name: string, bytes: Buffer): Buffer => Buffer.concat([stringField(name), stringField(bytes)]);

function twoIntegers(pair: Buffer): Buffer {
  const half = pair.length / 2;
  return Buffer.concat([integerField(pair.subarray(0, half)), integerField(pair.subarray(half))]);
}
