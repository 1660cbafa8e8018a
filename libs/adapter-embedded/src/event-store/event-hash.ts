import { hash } from 'node:crypto';

/**
 * I13: the hash that the next event of the stream carries as `prev`, 43 characters of base64url SHA-256 over the event's
 * place in its stream and its stored bytes. The lengths keep the parts apart whatever they contain.
 */
export function eventHash(
  stream: string,
  revision: number,
  id: string,
  type: string,
  data: string,
  meta: string,
): string {
  return hash(
    'sha256',
    `${stream.length} ${revision} ${id.length} ${type.length} ${data.length}\n${stream}${id}${type}${data}${meta}`,
    'base64url',
  );
}

/** Metadata as stored: the hash of the previous event in front. */
export function sealedMeta(prev: string, meta: string): string {
  return meta === '{}' ? `{"prev":"${prev}"}` : `{"prev":"${prev}",${meta.slice(1)}`;
}

/** The `prev` of stored metadata; undefined when it does not begin as it must. */
export function prevOf(meta: string): string | undefined {
  return /^\{"prev":"([\w-]{43}|)"[,}]/.exec(meta)?.[1];
}

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
