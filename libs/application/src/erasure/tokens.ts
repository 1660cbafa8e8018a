import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Json } from '@rondo/kernel';
import { traceOf } from '../scheduler/envelope.ts';

/** What stands in place of a value, and of a text, whose key is gone. */
export const ERASED = { $erased: true } as const;
export const ERASED_TEXT = '(erased)';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const RUN_KEY_BYTES = 32;

/** The id of a run's key: what its events have as correlation id. It tells nothing that the history does not say in clear. */
export const keyIdOf = (dagId: string, runId: string): string => traceOf(dagId, runId).traceId;

/** Where in the history a value was sealed: it opens nowhere else. */
export interface SealedAt {
  readonly keyId: string;
  readonly eventId: string;
  /** Of the value in the event's data: `xcoms.return_value.value`. */
  readonly path: string;
}

export interface Token extends SealedAt {
  readonly box: string;
}

/** `key.event.box.path`: a row that holds it knows with which key to open it, without the event that it came from. */
export function seal(key: Uint8Array, at: SealedAt, plain: string): string {
  const box = sealBytes(key, contextOf(at), Buffer.from(plain)).toString('base64url');
  return `${at.keyId}.${at.eventId}.${box}.${Buffer.from(at.path).toString('base64url')}`;
}

/** Undefined for what does not open: it was changed, or moved from another place. */
export function open(key: Uint8Array, token: Token): string | undefined {
  return openBytes(key, contextOf(token), Buffer.from(token.box, 'base64url'))?.toString('utf8');
}

export function parseToken(text: string): Token | undefined {
  const match = WHOLE.exec(text);
  if (match === null) return undefined;
  const [, keyId, eventId, box, path] = match;
  return { keyId: keyId!, eventId: eventId!, box: box!, path: Buffer.from(path!, 'base64url').toString('utf8') };
}

const WHOLE = /^([0-9a-f]{32})\.([\w-]{1,64})\.([\w-]+)\.([\w-]+)$/;

const contextOf = ({ keyId, eventId, path }: SealedAt): string => `${keyId}\n${eventId}\n${path}`;

export function sealBytes(key: Uint8Array, context: string, plain: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

export function openBytes(key: Uint8Array, context: string, box: Uint8Array): Buffer | undefined {
  if (box.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(context))
    .setAuthTag(box.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(box.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** How a value stands where it is sealed: any JSON, an object by key, a text, a list of texts. Readers find the same kind. */
export type PlaceKind = 'json' | 'record' | 'text' | 'lines';

const TEXT = '$sealed:';
const WITHIN = /\$sealed:([0-9a-f]{32}\.[\w-]{1,64}\.[\w-]+\.[\w-]+)/g;

/** Texts that were made of others may have sealed ones in them: puts what `opened` says in their place. */
export function replaceTokens(text: string, opened: (token: Token) => string): string {
  return text.replace(WITHIN, (_whole, token: string) => opened(parseToken(token)!));
}

export function tokensWithin(text: string): Token[] {
  return text.includes(TEXT) ? Array.from(text.matchAll(WITHIN), ([, token]) => parseToken(token!)!) : [];
}

/** The value that stands in the place of another. */
export function sealedValue(kind: PlaceKind, token: string): Json {
  if (kind === 'text') return TEXT + token;
  return kind === 'lines' ? [TEXT + token] : { $sealed: token };
}

/** What of it there is to open; undefined: nothing. */
export function tokenIn(kind: PlaceKind, value: unknown): Token | undefined {
  const held = kind === 'lines' && Array.isArray(value) ? (value as readonly unknown[])[0] : value;
  if (typeof held === 'string') return held.startsWith(TEXT) ? parseToken(held.slice(TEXT.length)) : undefined;
  if (kind === 'text' || kind === 'lines' || typeof held !== 'object' || held === null) return undefined;
  const { $sealed: token } = held as { readonly $sealed?: unknown };
  return typeof token === 'string' ? parseToken(token) : undefined;
}

export function erasedValue(kind: PlaceKind): Json {
  if (kind === 'text') return ERASED_TEXT;
  if (kind === 'lines') return [ERASED_TEXT];
  return kind === 'record' ? {} : { ...ERASED };
}
