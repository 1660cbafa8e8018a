import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomicSync } from '../files/atomic.ts';

const PRIVATE_KEY = 'history.key';
const PUBLIC_KEY = 'history.pub';

/** The Ed25519 key that signs the heads of the history; made at the first start. */
export function signingKey(keys: string): KeyObject {
  const file = join(keys, PRIVATE_KEY);
  if (!existsSync(file)) {
    mkdirSync(keys, { recursive: true, mode: 0o700 });
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    writeFileAtomicSync(join(keys, PUBLIC_KEY), publicKey.export({ type: 'spki', format: 'pem' }), 0o644);
    writeFileAtomicSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  }
  return createPrivateKey(readFileSync(file));
}

export function verificationKey(keys: string): KeyObject {
  return createPublicKey(readFileSync(join(keys, PUBLIC_KEY)));
}
