import type { Connection } from '@rondo/domain';
import { messageOf } from '../faults.ts';
import { SecretError } from './secret-box.ts';

/**
 * A connection out of a text: a URL (`postgres://login:password@host:5432/schema?sslmode=require`, parts percent-encoded, the
 * query becomes `extra`, with nested values as JSON in `__extra__`) or a JSON object (`{"connType": "postgres", "host": …}`;
 * `conn_type` is understood too). Throws SecretError, which names the place and never repeats the text.
 */
export function parseConnection(connId: string, text: string, place = `the connection '${connId}'`): Connection {
  const trimmed = text.trim();
  return trimmed.startsWith('{') ? fromJson(connId, place, trimmed) : fromUrl(connId, place, trimmed);
}

const TEXTS = ['connType', 'host', 'schema', 'login', 'password', 'description'] as const;
const FIELDS: readonly string[] = [...TEXTS, 'port', 'extra'];

function fromJson(connId: string, place: string, text: string): Connection {
  const parsed = parseObject(text, place);
  const { conn_type: connType, connId: _ownId, ...rest } = parsed;
  const given = Object.fromEntries(
    Object.entries(connType === undefined ? rest : { connType, ...rest }).filter(
      ([, value]) => value !== null && value !== '',
    ),
  );
  const unknown = Object.keys(given).filter((key) => !FIELDS.includes(key));
  if (unknown.length > 0) throw new SecretError(`${place} has ${unknown.join(', ')}; ${FIELDS.join(', ')} are allowed`);
  for (const key of TEXTS) {
    if (given[key] !== undefined && typeof given[key] !== 'string')
      throw new SecretError(`${key} of ${place} is no text`);
  }
  if (given['connType'] === undefined) throw new SecretError(`${place} lacks connType, for example "postgres"`);
  if (given['port'] !== undefined && !Number.isInteger(given['port']))
    throw new SecretError(`port of ${place} is no whole number`);
  if (typeof given['extra'] === 'string') given['extra'] = parseObject(given['extra'], `extra of ${place}`);
  if (given['extra'] !== undefined && typeof given['extra'] !== 'object')
    throw new SecretError(`extra of ${place} is no object`);
  return { connId, ...given } as Connection;
}

function parseObject(text: string, place: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below, without the text.
  }
  throw new SecretError(`${place} is no JSON object`);
}

function fromUrl(connId: string, place: string, text: string): Connection {
  const [, type, protocol = '', rest] = /^([\w+.-]+):\/\/(\w+:\/\/)?(.*)$/s.exec(text) ?? [];
  if (type === undefined || rest === undefined)
    throw new SecretError(`${place} is neither a URL like type://login:password@host:port/schema nor a JSON object`);
  let url: URL;
  try {
    // A scheme of its own: the rules for hosts and default ports of known schemes must not apply.
    url = new URL(`connection://${rest}`);
  } catch (error) {
    throw new SecretError(`${place} is no URL like type://login:password@host:port/schema (${messageOf(error)})`);
  }
  const parts = {
    connType: type.replaceAll('-', '_'),
    host: decoded(url.hostname === '' ? '' : protocol + url.hostname),
    port: url.port === '' ? undefined : Number(url.port),
    schema: decoded(url.pathname.replace(/^\//, '')),
    login: decoded(url.username),
    password: decoded(url.password),
    extra: url.search === '' ? undefined : extraOf(url.searchParams, place),
  };
  return {
    connId,
    ...Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)),
  } as Connection;
}

function decoded(part: string): string | undefined {
  return part === '' ? undefined : decodeURIComponent(part);
}

function extraOf(query: URLSearchParams, place: string): Record<string, unknown> {
  const nested = query.get('__extra__');
  return nested === null ? Object.fromEntries(query) : parseObject(nested, `__extra__ of ${place}`);
}
