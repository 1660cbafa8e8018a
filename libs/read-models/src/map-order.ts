/** Digits of the largest element: texts of map indexes order as the numbers do. */
const DIGITS = 9;

/** `2.5` as `000000002.000000005`: in the order of texts, the shorter first, all under a prefix together. */
export function mapOrder(mapIndex: string): string {
  return mapIndex === ''
    ? ''
    : mapIndex
        .split('.')
        .map((element) => element.padStart(DIGITS, '0'))
        .join('.');
}

/** The first text after all that begin with this map index. */
export const afterAllUnder = (mapIndex: string): string => `${mapOrder(mapIndex)}/`;
