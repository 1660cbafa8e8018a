import { decodeValue, encodeValue } from './codec.ts';
import { registerSerialiser } from './serialisers.ts';

class Money {
  readonly amount: bigint;
  readonly currency: string;

  constructor(amount: bigint, currency: string) {
    this.amount = amount;
    this.currency = currency;
  }
}

const money = {
  name: 'acme.Money',
  version: 2,
  type: Money,
  serialise: ({ amount, currency }: Money) => ({ amount, currency }),
  deserialise: (data: { amount: bigint; currency?: string }, version: number) =>
    new Money(data.amount, version === 1 ? 'EUR' : data.currency!),
};
registerSerialiser(money);

const encoded = (value: unknown, allowed?: readonly string[]): unknown => {
  const json = encodeValue(value, allowed);
  return json.ok ? json.value : json.error;
};

describe('values as JSON', () => {
  it.each([
    [{ a: [1, 'x', true, null] }, { a: [1, 'x', true, null] }],
    [new Date(0), { $type: 'date', $value: '1970-01-01T00:00:00.000Z' }],
    [2n ** 70n, { $type: 'bigint', $value: '1180591620717411303424' }],
    [new Map([['a', 1n]]), { $type: 'map', $value: [['a', { $type: 'bigint', $value: '1' }]] }],
    [new Set(['a']), { $type: 'set', $value: ['a'] }],
    [Uint8Array.of(1, 2), { $type: 'bytes', $value: 'AQI=' }],
    [Buffer.from('hi'), { $type: 'buffer', $value: 'aGk=' }],
    [
      [Number.NaN, -0],
      [
        { $type: 'number', $value: 'NaN' },
        { $type: 'number', $value: '-0' },
      ],
    ],
    [{ $type: 'date' }, { $type: 'object', $value: { $type: 'date' } }],
    [
      new Money(5n, 'CHF'),
      { $type: 'acme.Money', $version: 2, $value: { amount: { $type: 'bigint', $value: '5' }, currency: 'CHF' } },
    ],
  ])('%p', (value, json) => {
    expect(encoded(value)).toEqual(json);
    const text = JSON.stringify(json);
    expect(decodeValue(JSON.parse(text) as never)).toEqual(value);
    expect(Object.getPrototypeOf(decodeValue(json as never))).toBe(Object.getPrototypeOf(value));
  });

  it('of an invalid date', () => {
    expect(encoded(new Date(Number.NaN))).toEqual({ $type: 'date', $value: null });
    expect(String(decodeValue({ $type: 'date', $value: null }))).toBe('Invalid Date');
  });

  it('have no undefined: null in a list, no key of an object', () => {
    expect(encoded(new Set([undefined, null]))).toEqual({ $type: 'set', $value: [{ $type: 'undefined' }, null] });
    expect(encoded([undefined, { a: undefined, b: 1 }])).toEqual([null, { b: 1 }]);
    // oxlint-disable-next-line no-sparse-arrays -- a hole is what is tested
    expect(encoded([1, , 2])).toEqual([1, null, 2]);
  });

  it('that are plain are not copied when they are read', () => {
    const plain = { rows: [[1, 2], { a: 'x' }] };
    expect(decodeValue(plain)).toBe(plain);
  });

  it('are refused with the place and what to use', () => {
    class Other {}
    const circle: Record<string, unknown> = {};
    circle['me'] = [circle];
    expect(encoded({ rows: [{ fn: () => 1 }] })).toBe('a function at $.rows[0].fn cannot be stored');
    expect(encoded({ 'a b': new Other() })).toBe(
      'a Other at $["a b"] cannot be stored; use a plain object of its fields, or registerSerialiser',
    );
    expect(encoded(new Map([['k', /x/]]))).toBe('a RegExp at $<0>[1] cannot be stored; use its source');
    expect(encoded(circle)).toBe('a reference to what holds it at $.me[0] cannot be stored');
    expect(encoded([Promise.resolve()])).toBe('a Promise at $[0] cannot be stored; use await');
  });

  it('may hold the same object twice', () => {
    const shared = { a: 1 };
    expect(encoded([shared, shared])).toEqual([{ a: 1 }, { a: 1 }]);
  });
});

describe('registered classes', () => {
  it('read what an earlier version wrote, and refuse a later one', () => {
    const written = (version: number) => ({ $type: 'acme.Money', $version: version, $value: { amount: 1 } });
    expect(decodeValue(written(1))).toEqual(new Money(1 as never, 'EUR'));
    expect(() => decodeValue(written(3))).toThrow(
      "a value of type 'acme.Money' was written by version 3 of its serialiser; this DAG file has version 2",
    );
  });

  it('are the only ones that are read', () => {
    expect(() => decodeValue({ $type: 'acme.Gone', $version: 1, $value: {} })).toThrow(
      "a value of type 'acme.Gone' cannot be read: this DAG file registers no serialiser of that name",
    );
  });

  it('may be limited to a list', () => {
    expect(encoded(new Money(1n, 'EUR'), ['other.*'])).toBe(
      'a acme.Money at $ cannot be stored; use one of the types that are allowed: other.*',
    );
    expect(encoded(new Money(1n, 'EUR'), ['acme.*'])).toMatchObject({ $type: 'acme.Money' });
    expect(() => decodeValue({ $type: 'acme.Money', $version: 1, $value: { amount: 1 } }, [])).toThrow(
      'is not allowed',
    );
  });

  it('need a name with a dot that no other class has', () => {
    const other = { ...money, type: class Other {} };
    expect(() => registerSerialiser({ ...money, name: 'Money' })).toThrow("words with dots, such as 'acme.Money'");
    expect(() => registerSerialiser({ ...money, version: 0 })).toThrow('version is 0; allowed: a whole number from 1');
    expect(() => registerSerialiser(other as never)).toThrow(
      "serialiser 'acme.Money' is that of class Money already; allowed: another name",
    );
  });

  it('do not take instances of subclasses for their own', () => {
    class Tax extends Money {}
    expect(encoded(new Tax(1n, 'EUR'))).toContain('a Tax at $ cannot be stored');
  });
});
