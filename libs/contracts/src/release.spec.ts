import { areNeighbours } from './release.ts';

describe('releases that work together', () => {
  it.each([
    ['1.4.0', '1.4.9', true],
    ['1.4.0', '1.5.2', true],
    ['1.4.0', '1.6.0', false],
    ['1.9.0', '1.10.0', true],
    ['1.9.3', '2.0.1', true],
    ['1.9.3', '2.1.0', false],
    ['1.0.0', '3.0.0', false],
    ['0.1.0', '0.2.0-rc.1', true],
    ['0.1.0', '0.3.0-rc.1', false],
    ['a build of our own', '0.3.0', true],
  ])('%s and %s: %s', (one, other, expected) => {
    expect(areNeighbours(one, other)).toBe(expected);
    expect(areNeighbours(other, one)).toBe(expected);
  });
});
