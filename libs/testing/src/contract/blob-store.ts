import { createHash } from 'node:crypto';
import type { BlobStore } from '@rondo/ports';

export interface BlobStoreFixture {
  readonly blobs: BlobStore;
  /** Changes a stored blob behind the store's back, where the adapter can. */
  readonly damage?: (hash: string) => Promise<void>;
  readonly dispose: () => Promise<void>;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The rules of the BlobStore port. */
export function describeBlobStoreContract(name: string, factory: () => Promise<BlobStoreFixture>): void {
  describe(`${name}: blob store`, () => {
    let fixture: BlobStoreFixture;
    beforeEach(async () => {
      fixture = await factory();
    });
    afterEach(() => fixture.dispose());

    it('answers the SHA-256 and gives the bytes back', async () => {
      const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256);
      const hash = await fixture.blobs.put(bytes);
      expect(hash).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(Buffer.from((await fixture.blobs.get(hash))!)).toEqual(Buffer.from(bytes));
    });

    it('keeps an empty blob', async () => {
      const hash = await fixture.blobs.put(new Uint8Array());
      expect((await fixture.blobs.get(hash))?.length).toBe(0);
    });

    it('makes one blob of the same bytes, however often and at once', async () => {
      const hashes = await Promise.all(Array.from({ length: 10 }, () => fixture.blobs.put(bytesOf('same'))));
      expect(new Set(hashes).size).toBe(1);
      expect(await fixture.blobs.get(hashes[0]!)).toEqual(Buffer.from('same'));
    });

    it('answers undefined for a blob that is not there', async () => {
      expect(await fixture.blobs.get('0'.repeat(64))).toBeUndefined();
    });

    it.each(['', 'abc', '../../etc/passwd', 'A'.repeat(64), `${'0'.repeat(63)}/`])(
      'refuses %j as a hash',
      async (hash) => {
        await expect(fixture.blobs.get(hash)).rejects.toThrow(/is not the hash/);
      },
    );

    it('throws where the bytes do not match the hash', async () => {
      const hash = await fixture.blobs.put(bytesOf('to be damaged'));
      if (fixture.damage === undefined) return;
      await fixture.damage(hash);
      await expect(fixture.blobs.get(hash)).rejects.toThrow(/damaged/);
    });
  });
}
