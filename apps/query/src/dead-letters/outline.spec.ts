import { outlineOf } from './outline.ts';

const of = (text: string, isCut = false): string => outlineOf(Buffer.from(text), isCut);

describe('the outline of a message that is no JSON', () => {
  it('has the brackets and the names of fields, and no values', () => {
    expect(of('{"kind":"order","n":12,"ok":true, "of":{"password" : "hunter2","list":["a",1.5e3,null]')).toBe(
      '{"kind":"…","n":…,"ok":true, "of":{"password": "…","list":["…",…,null]',
    );
  });

  it.each([
    ['hunter2', '…'],
    ['password=hunter2; and more', '… … …'],
    ['{"a":"hunter2', '{"a":…'],
    ['hunter2","x":"hunter3"}', '…"…"…"…"…}'],
    ['{"hunter2 is a secret":1}', '{"…":…}'],
    ['{"a":"\\"hunter2"}', '{"a":"…"}'],
    ["{'a': 'hunter2'}", '{…: …}'],
    ['nullhunter2 truehunter2', '… …'],
    ['', ''],
  ])('of %s', (text, outline) => {
    expect(of(text)).toBe(outline);
    expect(of(text)).not.toContain('hunter');
  });

  it('is empty for what is no text', () => {
    expect(outlineOf(new Uint8Array([0x7b, 0xff, 0x7d]), false)).toBe('');
    expect(outlineOf(Buffer.from('{"a":"ü').subarray(0, -1), true)).toBe('{"a":… …');
    expect(outlineOf(Buffer.from('{"a":"ü').subarray(0, -1), false)).toBe('');
  });

  it('is bounded, and says when there is more', () => {
    expect(of('[1]', true)).toBe('[…] …');
    expect(of('[1],'.repeat(1_000)).length).toBe(1_002);
  });
});
