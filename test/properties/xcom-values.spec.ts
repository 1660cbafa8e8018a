import { decodeValue, encodeValue } from '@rondo/sdk';
import { assert, bigInt, date, letrec, oneof, property, uint8Array, anything, type Arbitrary } from 'fast-check';
import { effort, seed } from './effort.ts';

const plain = anything({ withBigInt: false, withDate: false, withMap: true, withSet: true, withNullPrototype: false });

/** Any value that can be an XCom, nested in any way, with objects that look like the tags themselves. */
const { value } = letrec<{ value: unknown }>((tie) => ({
  value: oneof(
    { depthSize: 'small' },
    plain,
    bigInt(),
    date({ noInvalidDate: true }),
    uint8Array(),
    uint8Array().map((bytes) => Buffer.from(bytes)),
    tie('value').map((inner) => [inner]),
    tie('value').map((inner) => new Map([[inner, inner]])),
    tie('value').map((inner) => new Set([inner])),
    tie('value').map((inner) => ({ $type: inner, $value: inner, key: inner })),
  ),
})) as { value: Arbitrary<unknown> };

/** What JSON cannot tell apart: `undefined` is null in a list, and no key of an object. */
function normal(at: unknown): unknown {
  if (Array.isArray(at)) return Array.from(at, (item) => (item === undefined ? null : normal(item)));
  if (at instanceof Map) return new Map([...at].map(([key, item]) => [normal(key), normal(item)]));
  if (at instanceof Set) return new Set([...at].map((item) => normal(item)));
  if (typeof at !== 'object' || at === null || Object.getPrototypeOf(at) !== Object.prototype) return at;
  return Object.fromEntries(
    Object.entries(at)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, normal(item)]),
  );
}

describe(`XCom values (RONDO_SEED=${seed})`, () => {
  it('are the same after a way through JSON, whatever they are', () => {
    assert(
      property(value, (given) => {
        const json = encodeValue(given);
        if (!json.ok) {
          // Nothing of what is made here is refused but the absence of a value.
          expect(given).toBeUndefined();
          return;
        }
        const text = JSON.stringify(json.value);
        const back = decodeValue(JSON.parse(text) as never);
        expect(back).toStrictEqual(normal(given));
        // Written again it is the same text: nothing of it depends on how often it was passed on.
        expect(encodeValue(back)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
      }),
      { seed, numRuns: 400 * effort },
    );
  });
});
