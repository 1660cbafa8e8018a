import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import type { GatewayLine } from '@rondo/ports';
import { eventually, removeFolder } from '../../test/fixtures/harness.ts';
import { BundleCache } from './bundle-cache.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-bundles-'));
});
afterEach(() => removeFolder(folder));

const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex');

/** A bundle of one file, with its hash. */
function bundle(content: string): { readonly hash: string; readonly files: ReadonlyMap<string, Uint8Array> } {
  const bytes = Buffer.from(content);
  const hash = sha256(JSON.stringify({ files: { 'lib/d.ts': sha256(bytes) } }));
  return { hash, files: new Map([['lib/d.ts', bytes]]) };
}

class Gateway {
  readonly bundles = new Map<string, ReadonlyMap<string, Uint8Array>>();
  fetches = 0;
  isAway = false;
  readonly line = {
    address: 'g',
    fetchBundle: async (hash: string) => {
      this.fetches++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (this.isAway) throw new Error('away');
      return this.bundles.get(hash);
    },
  } as Partial<GatewayLine> as GatewayLine;

  put(content: string): string {
    const { hash, files } = bundle(content);
    this.bundles.set(hash, files);
    return hash;
  }
}

const open = (gateways: readonly Gateway[], maxBytes = 1_000_000, patienceMs = 1_000): BundleCache =>
  new BundleCache({ folder, lines: () => gateways.map(({ line }) => line), maxBytes, patienceMs });
const there = (): string[] => readdirSync(folder).filter((name) => !name.endsWith('.json'));

describe('the cache of bundles', () => {
  it('fetches a bundle once, however many ask for it, and finds it again after a restart', async () => {
    const gateway = new Gateway();
    const hash = gateway.put('one');
    const cache = open([gateway]);
    const paths = await Promise.all([1, 2, 3].map(() => cache.materialise(hash)));
    expect(new Set(paths)).toEqual(new Set([join(folder, hash)]));
    expect(readFileSync(join(folder, hash, 'lib/d.ts'), 'utf8')).toBe('one');
    cache.release(hash);
    await cache.materialise(hash);
    mkdirSync(join(folder, '.new-interrupted'));
    await open([gateway]).materialise(hash);
    expect(gateway.fetches).toBe(1);
    expect(there()).toEqual([hash]);
  });

  it('takes nothing that has another hash', async () => {
    const gateway = new Gateway();
    const { hash } = bundle('one');
    gateway.bundles.set(hash, bundle('other').files);
    await expect(open([gateway]).materialise(hash)).rejects.toThrow(`other files for bundle ${hash}`);
    expect(readdirSync(folder)).toEqual([]);
    await expect(open([gateway]).materialise('../../etc')).rejects.toThrow('no hash');
  });

  it('asks another gateway, waits for one that is away, and gives up in time', async () => {
    const [a, b] = [new Gateway(), new Gateway()];
    const hash = b.put('one');
    a.isAway = true;
    await open([a, b]).materialise(hash);
    b.isAway = true;
    const other = b.put('two');
    const waiting = open([a, b], 1_000_000, 60_000).materialise(other);
    await eventually(() => b.fetches > 2);
    b.isAway = false;
    await expect(waiting).resolves.toBe(join(folder, other));
    a.isAway = b.isAway = true;
    await expect(open([a, b]).materialise(b.put('three'))).rejects.toThrow('away');
    a.isAway = false;
    await expect(open([a]).materialise(other.replaceAll(/./g, 'a'))).rejects.toThrow('no gateway has a bundle');
  });

  it('keeps what is in use, and of the rest the most recently used', async () => {
    const gateway = new Gateway();
    const [a, b, c] = ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc'].map((text) => gateway.put(text)) as [
      string,
      string,
      string,
    ];
    const cache = open([gateway], 20);
    await cache.materialise(a);
    await cache.materialise(b);
    cache.release(b);
    await cache.materialise(c);
    await eventually(() => !existsSync(join(folder, b)));
    expect(there().toSorted()).toEqual([a, c].toSorted());
    cache.release(a);
    cache.release(c);
    await cache.materialise(b);
    await eventually(() => !existsSync(join(folder, a)));
    expect(there().toSorted()).toEqual([b, c].toSorted());
    expect(gateway.fetches).toBe(4);
  });
});
