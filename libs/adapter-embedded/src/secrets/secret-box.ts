import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sealed } from '@rondo/domain';
import type { SecretBox } from '@rondo/ports';
import { writeFileAtomicSync } from '../files/atomic.ts';

export const SECRET_KEY_VARIABLE = 'RONDO_SECRET_KEY';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The secret cannot be opened with this key, or not here. */
export class SecretError extends Error {
  override readonly name = 'SecretError';
}

/** Seals with AES-256-GCM; the context is authenticated with the value. The key has 32 bytes. */
export function secretBox(key: Uint8Array): SecretBox {
  if (key.length !== KEY_BYTES)
    throw new SecretError(`the secret key has ${key.length} bytes: ${KEY_BYTES} are needed`);
  const kid = createHash('sha256').update(key).digest('hex').slice(0, 8);
  return {
    seal(plain, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
      const box = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return { alg: 'A256GCM', kid, box: box.toString('base64url') };
    },
    open(sealed, context) {
      if (sealed.kid !== kid) throw new SecretError(wrongKey(sealed, context, kid));
      return open(key, sealed, context);
    },
  };
}

function wrongKey(sealed: Sealed, context: string, kid: string): string {
  return `'${context}' was sealed with the key ${sealed.kid}, and the key in use is ${kid}: start with the key that it was sealed with (${SECRET_KEY_VARIABLE}, or keys/secret.key), or set the value again`;
}

function open(key: Uint8Array, sealed: Sealed, context: string): string {
  const box = Buffer.from(sealed.box, 'base64url');
  if (sealed.alg !== 'A256GCM' || box.length < NONCE_BYTES + TAG_BYTES)
    throw new SecretError(`the sealed value of '${context}' is damaged: it is no A256GCM box`);
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(context))
    .setAuthTag(box.subarray(-TAG_BYTES));
  try {
    return decipher.update(box.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    throw new SecretError(
      `the sealed value of '${context}' does not open: it was changed, or was sealed for another place`,
    );
  }
}

/**
 * The key of the secrets: from the environment (`RONDO_SECRET_KEY`, 32 bytes as base64, base64url or 64 hex digits), or else
 * from `secret.key` in the folder of keys, which is made at the first call.
 */
export function loadSecretKey(keys: string, environment: NodeJS.ProcessEnv = process.env): Uint8Array {
  const given = environment[SECRET_KEY_VARIABLE];
  if (given !== undefined && given !== '') return decodeKey(given, SECRET_KEY_VARIABLE);
  const file = join(keys, 'secret.key');
  if (!existsSync(file)) {
    mkdirSync(keys, { recursive: true, mode: 0o700 });
    writeFileAtomicSync(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  }
  return decodeKey(readFileSync(file, 'utf8'), file);
}

/** Never repeats the text: it may be most of a key. */
function decodeKey(text: string, place: string): Uint8Array {
  const trimmed = text.trim();
  const key = Buffer.from(trimmed, /^[0-9a-f]{64}$/i.test(trimmed) ? 'hex' : 'base64');
  if (key.length !== KEY_BYTES || !/^[\w+/-]+=*$/.test(trimmed))
    throw new SecretError(
      `${place} holds no key: ${KEY_BYTES} random bytes as base64 or as 64 hex digits are allowed (for example from: openssl rand -base64 32), and this text of ${trimmed.length} characters gives ${key.length} bytes`,
    );
  return key;
}
