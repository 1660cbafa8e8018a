const MARK_MODULUS = 2 ** 48;

/**
 * A mark ties an event's content to its position: 48 bits of the hash plus the position. It is not a proof (whoever can
 * change a row can change its mark); it tells which row is wrong where the chain and the signed heads only tell that one is.
 */
export function markOf(hash: string, position: number): number {
  return (hashBits(hash) + position) % MARK_MODULUS;
}

/** The position that a mark was made for, if the content is what it was. */
export function positionOfMark(hash: string, mark: number): number {
  return (mark - hashBits(hash) + MARK_MODULUS) % MARK_MODULUS;
}

/** The first eight characters as a number: base64url carries six bits in each. */
function hashBits(hash: string): number {
  let bits = 0;
  for (let i = 0; i < 8; i++) bits = bits * 64 + sextet(hash.charCodeAt(i));
  return bits;
}

function sextet(code: number): number {
  if (code >= 97) return code - 71;
  if (code >= 65) return code === 95 ? 63 : code - 65;
  return code === 45 ? 62 : code + 4;
}
