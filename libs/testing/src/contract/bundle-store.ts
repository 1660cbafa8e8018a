import { access, constants, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundleStore } from '@rondo/ports';

export interface BundleStoreFixture {
  readonly bundles: BundleStore;
  readonly dispose: () => Promise<void>;
}

const filesOf = (texts: Readonly<Record<string, string>>): Map<string, Uint8Array> =>
  new Map(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]));

const texts = { 'dags/etl.ts': 'export default 1', 'dags/lib/util.ts': 'export {}', 'dags/query.sql': "select 'ü'" };

/** The rules of the BundleStore port. */
export function describeBundleStoreContract(name: string, factory: () => Promise<BundleStoreFixture>): void {
  describe(`${name}: bundle store`, () => {
    let fixture: BundleStoreFixture;
    beforeEach(async () => {
      fixture = await factory();
    });
    afterEach(() => fixture.dispose());

    it('gives one hash to the same files, in whatever order', async () => {
      const hash = await fixture.bundles.putBundle(filesOf(texts));
      const reversed = new Map([...filesOf(texts)].toReversed());
      expect(hash).toMatch(/^[0-9a-f]{64}$/);
      expect(await fixture.bundles.putBundle(reversed)).toBe(hash);
    });

    it('gives another hash when a byte, a name or the set of files differs', async () => {
      const sets = [
        texts,
        { ...texts, 'dags/etl.ts': 'export default 2' },
        { 'dags/etl.ts': texts['dags/etl.ts'] },
        { 'dags/x.ts': texts['dags/etl.ts'] },
      ];
      const hashes = await Promise.all(sets.map((each) => fixture.bundles.putBundle(filesOf(each))));
      expect(new Set(hashes).size).toBe(sets.length);
    });

    it('answers the manifest and each file', async () => {
      const hash = await fixture.bundles.putBundle(filesOf(texts));
      expect(Object.keys((await fixture.bundles.getManifest(hash))!.files).toSorted()).toEqual(
        Object.keys(texts).toSorted(),
      );
      for (const [path, text] of Object.entries(texts)) {
        expect(Buffer.from((await fixture.bundles.readFile(hash, path))!).toString()).toBe(text);
      }
      expect(await fixture.bundles.readFile(hash, 'dags/none.ts')).toBeUndefined();
      expect(await fixture.bundles.readFile(hash, 'constructor')).toBeUndefined();
    });

    it('answers undefined for a bundle that is not there, and does not materialise it', async () => {
      const hash = '0'.repeat(64);
      expect(await fixture.bundles.getManifest(hash)).toBeUndefined();
      expect(await fixture.bundles.readFile(hash, 'a.ts')).toBeUndefined();
      await expect(fixture.bundles.materialise(hash)).rejects.toThrow(/no bundle/);
    });

    it('materialises exactly the files, once', async () => {
      const hash = await fixture.bundles.putBundle(filesOf(texts));
      const folders = await Promise.all([fixture.bundles.materialise(hash), fixture.bundles.materialise(hash)]);
      expect(folders[0]).toBe(folders[1]);
      const found = (await readdir(folders[0]!, { recursive: true, withFileTypes: true })).filter((entry) =>
        entry.isFile(),
      );
      expect(found).toHaveLength(3);
      for (const [path, text] of Object.entries(texts))
        expect(await readFile(join(folders[0]!, path), 'utf8')).toBe(text);
    });

    it('materialises a folder that nobody may write to', async () => {
      const hash = await fixture.bundles.putBundle(filesOf(texts));
      const folder = await fixture.bundles.materialise(hash);
      for (const path of ['', 'dags', 'dags/lib', 'dags/etl.ts']) {
        expect((await stat(join(folder, path))).mode & 0o222).toBe(0);
        await access(join(folder, path), constants.R_OK);
      }
    });

    it.each([
      '',
      '/etc/passwd',
      '../x.ts',
      'a/../../x.ts',
      './a.ts',
      'a//b.ts',
      'a\\b.ts',
      'node_modules/x.js',
      'a\0b',
    ])('refuses the path %j', async (path) => {
      await expect(fixture.bundles.putBundle(new Map([[path, Buffer.from('x')]]))).rejects.toThrow(
        /cannot be a file of a bundle/,
      );
    });
  });
}
