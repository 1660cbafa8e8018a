import { array, assert, constantFrom, property } from 'fast-check';
import { matchesGlob } from './glob.ts';

describe('a pattern of ids', () => {
  it.each([
    ['*', '', true],
    ['load.*', 'load.store', true],
    ['load.*', 'reload.store', false],
    ['t?', 't1', true],
    ['t?', 't10', false],
    ['a.b', 'axb', false],
    ['[ab]', 'a', false],
  ])('%s of %s: %s', (pattern, text, fits) => {
    expect(matchesGlob(pattern, text)).toBe(fits);
  });

  it('means what the expression would that is made of it', () => {
    const letters = (of: readonly string[]) =>
      array(constantFrom(...of), { maxLength: 8 }).map((each) => each.join(''));
    assert(
      property(letters(['a', 'b', '*', '*', '?']), letters(['a', 'b']), (pattern, text) => {
        const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(matchesGlob(pattern, text)).toBe(expression.test(text));
      }),
    );
  });

  it('takes no longer the more stars it has', () => {
    expect(matchesGlob(`${'*a'.repeat(100)}b`, 'a'.repeat(250))).toBe(false);
  });
});
