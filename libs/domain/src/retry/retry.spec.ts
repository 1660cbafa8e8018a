import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { MAX_RETRY_DELAY_MS, mayRetry, retryDelayMs, type RetryKey } from './retry.ts';
import { pokeCountAfter, pokeIntervalMs, type PokePolicy } from './sensor.ts';
import { sha1Hex, sha1Mod } from './sha1.ts';

const key: RetryKey = { dagId: 'd', taskId: 't', logicalDate: Date.UTC(2016, 0, 1), tryNumber: 1 };
const doubling = (retryDelayMs: number): { retryDelayMs: number; retryExponentialBackoff: number } => ({
  retryDelayMs,
  retryExponentialBackoff: 2,
});

describe('sha1', () => {
  it.each([
    ['', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
    ['abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
    ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '84983e441c3bd26ebaae4aa1f95129e5e54670f1'],
    ['The quick brown fox jumps over the lazy dog', '2fd4e1c67a2d28fced849ee1bb76e7391b93eb12'],
  ])('of %j', (text, hex) => {
    expect(sha1Hex(text)).toBe(hex);
  });

  it('is that of node:crypto for any text, and so is its remainder', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.integer({ min: 1, max: 2 ** 37 }),
        (text, modulus) => {
          const hex = createHash('sha1').update(text).digest('hex');
          expect(sha1Hex(text)).toBe(hex);
          expect(sha1Mod(text, modulus)).toBe(Number(BigInt(`0x${hex}`) % BigInt(modulus)));
        },
      ),
    );
  });
});

describe('the delay before the next try', () => {
  it('is constant with a factor of 0 or 1', () => {
    for (const retryExponentialBackoff of [0, 1])
      expect(
        retryDelayMs({ retryDelayMs: 1_500, retryExponentialBackoff, maxRetryDelayMs: 10 }, { ...key, tryNumber: 9 }),
      ).toBe(1_500);
  });

  it('is spread by the instance and its try', () => {
    const hash = createHash('sha1').update('d#t#2016-01-01 00:00:00+00:00#3').digest('hex');
    expect(retryDelayMs(doubling(30_000), { ...key, tryNumber: 3 })).toBe(
      (120 + Number(BigInt(`0x${hash}`) % 120n)) * 1_000,
    );
    const undated = createHash('sha1').update('d#t#None#3').digest('hex');
    expect(retryDelayMs(doubling(30_000), { ...key, logicalDate: null, tryNumber: 3 })).toBe(
      (120 + Number(BigInt(`0x${undated}`) % 120n)) * 1_000,
    );
  });

  it('is at least a second and at most a day', () => {
    expect(retryDelayMs(doubling(0), { ...key, tryNumber: 0 })).toBe(1_000);
    expect(retryDelayMs(doubling(1_000), { ...key, tryNumber: 5_000 })).toBe(MAX_RETRY_DELAY_MS);
    expect(retryDelayMs(doubling(1_000), { ...key, tryNumber: 5_000 }, 60_000)).toBe(60_000);
  });

  it('lies between its base and twice that, never above its caps', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 600_000 }),
        fc.double({ min: 1.1, max: 8, noNaN: true }),
        fc.integer({ min: 1, max: 40 }),
        fc.option(fc.integer({ min: 1, max: 10_000_000 }), { nil: undefined }),
        fc.string(),
        (retryDelay, factor, tryNumber, cap, taskId) => {
          const base = Math.max(1, Math.ceil((retryDelay / 1_000) * factor ** (tryNumber - 1)));
          const policy = {
            retryDelayMs: retryDelay,
            retryExponentialBackoff: factor,
            ...(cap === undefined ? {} : { maxRetryDelayMs: cap }),
          };
          const delay = retryDelayMs(policy, { ...key, taskId, tryNumber });
          const most = Math.min(cap ?? MAX_RETRY_DELAY_MS, MAX_RETRY_DELAY_MS);
          expect(delay).toBeGreaterThanOrEqual(Math.min(base * 1_000, most));
          expect(delay).toBeLessThanOrEqual(Math.min((2 * base - 1) * 1_000, most));
          expect(retryDelayMs(policy, { ...key, taskId, tryNumber })).toBe(delay);
        },
      ),
    );
  });
});

describe('whether there is another try', () => {
  it('allows retries + 1 tries', () => {
    expect([1, 2, 3, 4].map((tryNumber) => mayRetry({ tryNumber, maxTries: 2 }))).toEqual([true, true, false, false]);
    expect(mayRetry({ tryNumber: 0, maxTries: 0 })).toBe(false);
    expect(mayRetry({ tryNumber: 7, maxTries: 0 }, true)).toBe(true);
  });
});

describe('the interval between pokes', () => {
  const policy: PokePolicy = { pokeIntervalMs: 10_000, timeoutMs: 600_000, exponentialBackoff: true };
  const poke = { dagId: 'd', taskId: 't', startedAt: 0 };

  it('is constant unless it is asked to grow', () => {
    expect(pokeIntervalMs({ ...policy, exponentialBackoff: false }, poke, 9, 599_000)).toBe(10_000);
  });

  it('grows with the poke count, up to the time that is left and to maxWait', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 600_000 }), (count, elapsed) => {
        const base = Math.max(Math.trunc(10 * 2 ** (count - 2)), 1);
        const left = 600_000 - Math.floor(elapsed / 1_000) * 1_000;
        const interval = pokeIntervalMs(policy, poke, count, elapsed);
        expect(interval).toBeLessThanOrEqual(Math.min(left, (2 * base - 1) * 1_000));
        expect(interval).toBeGreaterThanOrEqual(Math.min(left, base * 1_000));
        expect(pokeIntervalMs({ ...policy, maxWaitMs: 3_000 }, poke, count, elapsed)).toBeLessThanOrEqual(3_000);
      }),
    );
  });

  it('finds the poke count of a rescheduled sensor again', () => {
    expect(pokeCountAfter(policy, poke, 0)).toBe(1);
    let elapsed = 0;
    for (let count = 1; count <= 5; count++) {
      expect(pokeCountAfter(policy, poke, elapsed)).toBe(count);
      elapsed += pokeIntervalMs({ ...policy, timeoutMs: 10 ** 9 }, poke, count, 0);
    }
  });
});
