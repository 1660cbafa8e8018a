import fc from 'fast-check';
import { END_MARK } from '../child/frames.ts';
import { LineSplitter, MAX_LINE_BYTES } from './line-splitter.ts';

function split(chunks: readonly Buffer[]): (string | readonly [string, number])[] {
  const seen: (string | readonly [string, number])[] = [];
  const splitter = new LineSplitter({
    onLine: (text, cut) => seen.push(cut === 0 ? text : [text, cut]),
    onMark: () => seen.push('<mark>'),
  });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return seen;
}

describe('a line splitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' }).filter((line) => !/[\n\r\0]/.test(line) && line !== '')),
        fc.array(fc.nat(20)),
        (lines, sizes) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const chunks: Buffer[] = [];
          let at = 0;
          for (const size of sizes) chunks.push(bytes.subarray(at, (at += size)));
          chunks.push(bytes.subarray(at));
          expect(split(chunks)).toEqual(lines);
        },
      ),
    );
  });

  it('finds a mark on a line of its own, after an unfinished line, and after a line that was cut', () => {
    const mark = `${END_MARK}7\n`;
    expect(split([Buffer.from(`a\r\n\n${mark}b${mark}c`)])).toEqual(['a', '', '<mark>', 'b', '<mark>', 'c']);
    const long = 'x'.repeat(MAX_LINE_BYTES + 1_000);
    expect(split([Buffer.from(`${long}${mark}`)])).toEqual([['x'.repeat(MAX_LINE_BYTES), 1_000], '<mark>']);
    expect(split([Buffer.from(long), Buffer.from(`\nnext\n`)])).toEqual([['x'.repeat(MAX_LINE_BYTES), 1_000], 'next']);
  });
});
