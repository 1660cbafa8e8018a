import {
  allOf,
  anyOf,
  assetLeaves,
  assetOf,
  describeAssets,
  evaluateAssets,
  normaliseUri,
  type AssetExpression,
} from './index.ts';

const leaf = (name: string): AssetExpression => ({ kind: 'asset', name, uri: name });
const [a, b, c] = [leaf('a'), leaf('b'), leaf('c')] as const;

describe('the URI of an asset', () => {
  it.each([
    ['foobar', 'foobar'],
    ['foo:bar', 'foo:bar'],
    ['s3://bucket', 's3://bucket/'],
    ['FILE:///1/2//', 'file:///1/2'],
    ['https://user@host/a?b=2&a=1&c=#part', 'https://user@host/a?a=1&b=2'],
    ['x-own:/A/', 'x-own:/A/'],
  ])('%s is %s', (given, uri) => expect(normaliseUri(given)).toEqual({ ok: true, value: { uri } }));

  it('loses a user with a password, and says so without it', () => {
    const result = normaliseUri('ftp://me:hunter2@host/x/');
    expect(result).toMatchObject({ ok: true, value: { uri: 'ftp://host/x' } });
    expect(JSON.stringify(result)).not.toContain('hunter2');
    expect(assetOf({ name: 'ftp://me:hunter2@host/x/' })).toMatchObject({ value: { name: 'ftp://host/x' } });
  });

  it.each(['', ' ', 'a\nb', `s3://${'x'.repeat(1_500)}`, 'airflow://x', 'rondo://x'])('is not %j', (uri) =>
    expect(normaliseUri(uri)).toMatchObject({ ok: false }),
  );
});

describe('an asset', () => {
  it('has a name or a URI for the other', () => {
    expect(assetOf({ name: 'orders' })).toEqual({ ok: true, value: { name: 'orders', uri: 'orders' } });
    expect(assetOf({ uri: 's3://b/k/' })).toEqual({ ok: true, value: { name: 's3://b/k', uri: 's3://b/k' } });
    expect(assetOf({ name: 'orders', uri: 's3://b/k/', group: 'g' })).toEqual({
      ok: true,
      value: { name: 'orders', uri: 's3://b/k', group: 'g' },
    });
  });

  it.each([
    {},
    { name: ' ' },
    { name: 'x'.repeat(251) },
    { uri: `s3://b/${'k'.repeat(300)}` },
    { name: 'a', group: '' },
  ])('is refused as %j, with what is allowed', (given) =>
    expect(assetOf(given)).toMatchObject({ ok: false, error: expect.stringMatching(/name|group/) }),
  );
});

describe('an expression', () => {
  it('flattens the left operand of the same operator alone', () => {
    expect(allOf(allOf(a, b), allOf(b, c))).toEqual({ kind: 'all', of: [a, b, { kind: 'all', of: [b, c] }] });
    expect(anyOf(allOf(a, b), c)).toEqual({ kind: 'any', of: [{ kind: 'all', of: [a, b] }, c] });
  });

  it('is true by its leaves', () => {
    const either = allOf(a, anyOf(b, c));
    const holds = (...names: string[]): boolean =>
      evaluateAssets(either, (each) => each.kind === 'asset' && names.includes(each.name));
    expect([holds('a', 'c'), holds('a'), holds('b', 'c'), holds()]).toEqual([true, false, false, false]);
  });

  it('names each leaf once, and reads as it was written', () => {
    const expression = anyOf(allOf(a, anyOf(b, { kind: 'alias', name: 'x' })), { kind: 'uri', uri: 's3://b' });
    expect(assetLeaves(allOf(expression, b)).map((each) => each.kind)).toEqual(['asset', 'asset', 'alias', 'uri']);
    expect(describeAssets(expression)).toBe('(a & (b | alias(x))) | s3://b');
  });
});
