import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeSecretBoxContract } from '@rondo/testing';
import { loadSecretKey, secretBox } from './secret-box.ts';

describeSecretBoxContract('AES-256-GCM', () => ({
  box: secretBox(Buffer.alloc(32, 1)),
  other: secretBox(Buffer.alloc(32, 2)),
}));

describe('loadSecretKey', () => {
  let keys: string;
  beforeEach(() => {
    keys = mkdtempSync(join(tmpdir(), 'rondo-keys-'));
  });
  afterEach(() => rmSync(keys, { recursive: true }));

  it('makes a key file at the first start, for its owner only, and keeps it', () => {
    const key = loadSecretKey(keys, {});
    expect(key).toHaveLength(32);
    expect(loadSecretKey(keys, {})).toEqual(key);
    expect(statSync(join(keys, 'secret.key')).mode & 0o777).toBe(0o600);
  });

  it('takes the key of the environment, in any of its forms, and makes no file', () => {
    const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i * 8 + 7));
    for (const text of [
      key.toString('base64'),
      key.toString('base64url'),
      key.toString('hex'),
      key.toString('hex').toUpperCase(),
      ` ${key.toString('base64')}\n`,
    ])
      expect(loadSecretKey(keys, { RONDO_SECRET_KEY: text })).toEqual(key);
    expect(() => readFileSync(join(keys, 'secret.key'))).toThrow(/ENOENT/);
  });

  it.each(['short', 'x'.repeat(44), 'not base64 at all!', Buffer.alloc(16).toString('base64')])(
    'refuses %j without repeating it',
    (text) => {
      let message = '';
      try {
        loadSecretKey(keys, { RONDO_SECRET_KEY: text });
      } catch (error) {
        message = String(error);
      }
      expect(message).toContain('RONDO_SECRET_KEY holds no key: 32 random bytes');
      expect(message).not.toContain(text);
    },
  );

  it('names the key file that holds no key', () => {
    writeFileSync(join(keys, 'secret.key'), 'nonsense');
    expect(() => loadSecretKey(keys, {})).toThrow(/secret\.key holds no key/);
  });

  it('refuses a key of another length', () => {
    expect(() => secretBox(Buffer.alloc(16))).toThrow(/16 bytes: 32 are needed/);
  });
});
