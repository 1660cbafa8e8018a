import type { SecretBox } from '@rondo/ports';

export interface SecretBoxFixture {
  readonly box: SecretBox;
  /** A box with another key. */
  readonly other: SecretBox;
}

/** The rules of the SecretBox port. */
export function describeSecretBoxContract(name: string, factory: () => SecretBoxFixture): void {
  describe(`${name}: secret box`, () => {
    const { box, other } = factory();

    it.each(['', 'secret', 'ü🚀\u0000\n', 'x'.repeat(100_000)])('opens what it sealed', (plain) => {
      const sealed = box.seal(plain, 'variable:a');
      expect(box.open(JSON.parse(JSON.stringify(sealed)) as typeof sealed, 'variable:a')).toBe(plain);
    });

    it('says algorithm and key, and shows nothing of the value', () => {
      const sealed = box.seal('password123', 'variable:a');
      expect(sealed).toEqual({
        alg: 'A256GCM',
        kid: expect.stringMatching(/^[0-9a-f]{8}$/),
        box: expect.stringMatching(/^[\w-]+$/),
      });
      const bytes = Buffer.from(sealed.box, 'base64url');
      expect(bytes.length).toBe(12 + 'password123'.length + 16);
      expect(bytes.includes('password')).toBe(false);
    });

    it('never gives the same text twice', () => {
      expect(box.seal('a', 'variable:a').box).not.toBe(box.seal('a', 'variable:a').box);
    });

    it('does not open in another place', () => {
      const sealed = box.seal('a', 'variable:a');
      expect(() => box.open(sealed, 'variable:b')).toThrow(/'variable:b' does not open/);
    });

    it('does not open when a bit was changed', () => {
      const sealed = box.seal('a secret', 'variable:a');
      const bytes = Buffer.from(sealed.box, 'base64url');
      for (const at of [0, 12, bytes.length - 1]) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1;
        expect(() => box.open({ ...sealed, box: changed.toString('base64url') }, 'variable:a')).toThrow(
          /does not open/,
        );
      }
      expect(() => box.open({ ...sealed, box: 'AAAA' }, 'variable:a')).toThrow(/damaged/);
    });

    it('names both keys when the key is a wrong one', () => {
      const sealed = other.seal('a', 'variable:a');
      const own = box.seal('a', 'variable:a').kid;
      expect(() => box.open(sealed, 'variable:a')).toThrow(new RegExp(`${sealed.kid}.*${own}`));
      expect(() => box.open({ ...sealed, kid: own }, 'variable:a')).toThrow(/does not open/);
    });
  });
}
