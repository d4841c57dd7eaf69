import type { JsonWebKey } from 'node:crypto';
import { FieldReader, WireError } from './wire.ts';

const magic = 'openssh-key-v1\0';

/** A key file of OpenSSH is locked with a passphrase. */
export class EncryptedKeyError extends Error {}

/** Reads OpenSSH's own form of a private key. Throws EncryptedKeyError, or a WireError. Source: OpenSSH, PROTOCOL.key. */
export function parseOpensshKey(pem: string): JsonWebKey {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]*)-----END OPENSSH PRIVATE KEY-----/.exec(pem)?.[1];
  const file = new FieldReader(Buffer.from(body ?? '', 'base64'));
  if (file.take(magic.length).toString('latin1') !== magic) throw new WireError('it does not begin as it should');
  const cipher = file.string().toString('latin1');
  file.string();
  file.string();
  if (file.number() !== 1) throw new WireError('it holds more than one key');
  file.string();
  if (cipher !== 'none') throw new EncryptedKeyError(`encrypted with ${cipher}`);
  const key = new FieldReader(file.string());
  const [check, again] = [key.number(), key.number()];
  if (check !== again) throw new WireError('its check fails');
  return readKey(key);
}

function readKey(key: FieldReader): JsonWebKey {
  const type = key.string().toString('latin1');
  switch (type) {
    case 'ssh-ed25519': {
      const publicKey = key.string();
      return { kty: 'OKP', crv: 'Ed25519', x: url(publicKey), d: url(key.string().subarray(0, 32)) };
    }
    case 'ssh-rsa':
      return readRsaKey(key);
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521':
      return readEcdsaKey(key);
    default:
      throw new WireError(`keys of type "${type}" cannot be used`);
  }
}

function readRsaKey(key: FieldReader): JsonWebKey {
  const [n, e, d, qi, p, q] = [1, 2, 3, 4, 5, 6].map(() => key.string()) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
  const remainder = (prime: Buffer): Buffer => {
    const hex = (numberOf(d) % (numberOf(prime) - 1n)).toString(16);
    return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  };
  const parts = { n, e, d, p, q, dp: remainder(p), dq: remainder(q), qi };
  return { kty: 'RSA', ...Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, url(unsigned(value))])) };
}

function readEcdsaKey(key: FieldReader): JsonWebKey {
  const curve = key.string().toString('latin1').replace('nistp', 'P-');
  const point = key.string();
  const size = (point.length - 1) / 2;
  if (point[0] !== 4 || !Number.isInteger(size) || size > 66) throw new WireError('its point is not in the plain form');
  const secret = unsigned(key.string());
  if (secret.length > size) throw new WireError('its number is too large');
  const d = Buffer.concat([Buffer.alloc(size - secret.length), secret]);
  return { kty: 'EC', crv: curve, x: url(point.subarray(1, 1 + size)), y: url(point.subarray(1 + size)), d: url(d) };
}

/** Prime numbers of a key are 8 KiB at most: more is no key, and would take long. */
function numberOf(bytes: Buffer): bigint {
  if (bytes.length === 0 || bytes.length > 8192) throw new WireError('a number has a wrong length');
  const number = BigInt(`0x${bytes.toString('hex')}`);
  if (number < 2n) throw new WireError('a number is too small');
  return number;
}

const unsigned = (bytes: Buffer): Buffer => {
  const start = bytes.findIndex((byte) => byte !== 0);
  return start === -1 ? Buffer.alloc(0) : bytes.subarray(start);
};

const url = (bytes: Buffer): string => bytes.toString('base64url');
