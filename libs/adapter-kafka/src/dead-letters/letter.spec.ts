import { markOf, nameOf, placeOf, toLetter, toStored, type Burial, type Stored } from './letter.ts';

const parseError = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
};
const burial = (text: string | null): Burial => ({
  ...{ topic: 'p.orders', partition: 3, offset: '17', key: Buffer.from('k') },
  value: text === null ? null : Buffer.from(text),
  error: parseError(text ?? ''),
});
/** As the broker gives it back. */
const stored = (one: Burial, offset = 5): Stored => {
  const { key, value, headers } = toStored(one);
  return { offset: String(offset), timestamp: '9', key: key as Buffer, value: value as Buffer, headers: headers! };
};

describe('a dead letter', () => {
  it.each([
    ['hunter2', 'it is not JSON'],
    ['{"a":"hunter2', 'it is not JSON from position 13 on'],
    ['{"a":"hunter2"', 'it is not JSON from position 14 on'],
    ['{"a":', 'its JSON ends too early'],
    ['', 'it is empty'],
    [null, 'it is empty'],
  ])('of %s says what is wrong, and quotes nothing', (text, reason) => {
    const letter = toLetter(stored(burial(text)), new Map(), 'p.');
    expect(letter.reason).toBe(reason);
    expect(JSON.stringify(letter)).not.toContain('hunter');
  });

  it('of an earlier release is not told with its error, which quotes the message', () => {
    const { offset, timestamp, key, value } = stored(burial('hunter2'));
    const headers = { topic: 'p.orders', partition: '3', at: '17', error: 'Unexpected token h, "hunter2" is not JSON' };
    const letter = toLetter({ offset, timestamp, key, value, headers }, new Map(), 'p.');
    expect(letter).toMatchObject({ topic: 'orders', offset: 17, reason: 'it could not be decoded' });
  });

  it('keeps bytes as they are', () => {
    const bytes = Buffer.from([0xff, 0x00, 0x7b]);
    expect(toStored({ ...burial(null), key: bytes, value: bytes })).toMatchObject({ key: bytes, value: bytes });
    expect(toStored({ ...burial(null), key: null })).toMatchObject({ key: null, value: null });
  });

  it('is replayed when its message was, before the mark', () => {
    const one = stored(burial('{'), 5);
    const marks = new Map([[nameOf(placeOf(one)), { before: 6, at: 1, by: 'ada' }]]);
    expect(toLetter(one, marks, '')).toMatchObject({ topic: 'p.orders', replayed: { at: 1, by: 'ada' } });
    expect(markOf(stored(burial('{'), 6), marks)).toBeUndefined();
    expect(markOf(stored({ ...burial('{'), offset: '18' }), marks)).toBeUndefined();
  });
});
