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
