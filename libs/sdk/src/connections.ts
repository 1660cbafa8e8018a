import type { Connection } from '@rondo/domain';
import { err, ok, type Result } from '@rondo/kernel';
import { show } from './authoring/error.ts';
import type { TaskContext } from './runtime/task-context.ts';

type Extra = Readonly<Record<string, unknown>>;

const EXTRA = '__extra__';
const FIELDS = ['conn_type', 'host', 'port', 'schema', 'login', 'password', 'extra', 'description'] as const;
const form =
  "a URI such as 'postgres://login:password@host:5432/schema?key=value', or a JSON object with conn_type, host, port, schema, login, password, extra";

/**
 * A connection out of a URI or a JSON object (as text). In a URI every part is percent-encoded; extra stands in the query, key
 * by key or, when its values are no texts, as JSON under `__extra__`; the host may have a protocol of its own
 * (`http://https://example.org`). No refusal repeats the text: it holds secrets.
 */
export function parseConnection(connId: string, text: string): Result<Connection> {
  const trimmed = text.trim();
  const parsed = trimmed.startsWith('{') ? fromJson(connId, trimmed) : fromUri(connId, trimmed);
  return parsed.ok ? parsed : err(`connection '${connId}': ${parsed.error}; allowed: ${form}`);
}

function fromUri(connId: string, uri: string): Result<Connection> {
  const match = /^([A-Za-z][\w.+-]*):\/\/(?:([A-Za-z][\w.+-]*):\/\/)?([^/?#]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(uri);
  if (match === null) return err("the text is no URI of the form 'type://…'");
  const [, type = '', protocol, authority = '', path = '', query] = match;
  const at = authority.lastIndexOf('@');
  const [login, password] = splitOnce(at === -1 ? '' : authority.slice(0, at), ':');
  const address = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority.slice(at + 1));
  if (address === null) return err('the port is no number');
  try {
    const decode = decodeURIComponent;
    const host = decode(address[1]!).replace(/^\[(.*)\]$/, '$1');
    const port = address[2] === undefined || address[2] === '' ? undefined : Number(address[2]);
    if (port !== undefined && port > 65_535) return err(`the port is ${port}, more than 65535`);
    const extra = query === undefined || query === '' ? ok(undefined) : extraOf(query);
    if (!extra.ok) return extra;
    return ok(
      connection(connId, {
        conn_type: normalType(type),
        host: protocol === undefined ? host : `${protocol}://${host}`,
        port,
        schema: decode(path),
        login: decode(login),
        password: password === undefined ? undefined : decode(password),
        extra: extra.value,
      }),
    );
  } catch {
    return err("a part is not percent-encoded ('%' must be '%25')");
  }
}

function extraOf(query: string): Result<Extra | undefined> {
  const values = new URLSearchParams(query);
  const whole = values.get(EXTRA);
  return whole === null ? ok(Object.fromEntries(values)) : extraOfText(whole);
}

function extraOfText(text: string): Result<Extra | undefined> {
  if (text.trim() === '') return ok(undefined);
  try {
    const extra: unknown = JSON.parse(text);
    if (typeof extra === 'object' && extra !== null && !Array.isArray(extra)) return ok(extra as Extra);
  } catch {
    // The refusal below is for both: no JSON, and JSON of another kind.
  }
  return err('extra is no JSON object');
}

function fromJson(connId: string, text: string): Result<Connection> {
  let input: Record<string, unknown>;
  try {
    input = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return err('the text begins like a JSON object and is none');
  }
  const { connType, conn_id: _id, connId: _connId, uri, ...rest } = input;
  if (typeof uri === 'string') return fromUri(connId, uri);
  const given: Record<string, unknown> = { ...(connType === undefined ? {} : { conn_type: connType }), ...rest };
  const stranger = Object.keys(given).find((key) => !(FIELDS as readonly string[]).includes(key));
  if (stranger !== undefined) return err(`${show(stranger)} is not a field`);
  if (typeof given['conn_type'] !== 'string' || given['conn_type'] === '') return err('conn_type is missing');
  for (const field of ['host', 'schema', 'login', 'password', 'description'])
    if (!isAbsent(given[field]) && typeof given[field] !== 'string') return err(`${field} is no text`);
  const port = isAbsent(given['port']) || given['port'] === '' ? undefined : Number(given['port']);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    return err('port is no number from 0 to 65535');
  const extra =
    typeof given['extra'] === 'string'
      ? extraOfText(given['extra'])
      : ok((given['extra'] ?? undefined) as Extra | undefined);
  if (!extra.ok) return extra;
  if (extra.value !== undefined && (typeof extra.value !== 'object' || Array.isArray(extra.value)))
    return err('extra is no JSON object');
  return ok(connection(connId, { ...given, conn_type: normalType(given['conn_type']), port, extra: extra.value }));
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;

function connection(connId: string, parts: Readonly<Record<string, unknown>>): Connection {
  const { conn_type: connType, ...rest } = parts;
  const present = Object.entries(rest).filter(
    ([key, value]) => !isAbsent(value) && (value !== '' || key === 'password'),
  );
  return { connId, connType: connType as string, ...Object.fromEntries(present) };
}

/** `postgresql` is `postgres`, and `google-cloud-platform` is `google_cloud_platform`. */
function normalType(type: string): string {
  const lower = type.toLowerCase();
  return lower === 'postgresql' ? 'postgres' : lower.replaceAll('-', '_');
}

function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** The URI of a connection, secrets and all. `parseConnection` gives the same connection back, but for its description. */
export function formatConnection({ connType, host = '', port, schema, login, password, extra }: Connection): string {
  const [, protocol, address] = /^(?:([A-Za-z][\w.+-]*):\/\/)?(.*)$/s.exec(host) ?? [];
  const encode = encodeURIComponent;
  const secret = password === undefined ? '' : `:${encode(password)}`;
  const user = login === undefined && secret === '' ? '' : `${encode(login ?? '')}${secret}@`;
  const head = `${connType.replaceAll('_', '-')}://${protocol === undefined ? '' : `${protocol}://`}`;
  const path = schema === undefined || schema === '' ? '' : `/${encode(schema)}`;
  return `${head}${user}${encode(address ?? '')}${port === undefined ? '' : `:${port}`}${path}${formatExtra(extra)}`;
}

function formatExtra(extra: Extra | undefined): string {
  if (extra === undefined || Object.keys(extra).length === 0) return '';
  const flat = Object.entries(extra);
  const isFlat = flat.every(([key, value]) => typeof value === 'string' && key !== EXTRA);
  const query = isFlat
    ? new URLSearchParams(flat as [string, string][])
    : new URLSearchParams({ [EXTRA]: JSON.stringify(extra) });
  return `?${query.toString()}`;
}

/** The connection of an id, or of a URI that stands in its place. */
export async function resolveConnection(ctx: Pick<TaskContext, 'connections'>, idOrUri: string): Promise<Connection> {
  if (!idOrUri.includes('://')) return ctx.connections.get(idOrUri);
  const parsed = parseConnection('inline', idOrUri);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

export type { Connection };

type Env = Readonly<Record<string, string | undefined>>;

/** `RONDO_CONN_{ID}`, else `AIRFLOW_CONN_{ID}`: the id in capitals, other characters than letters and digits as `_`. */
export function connectionFromEnv(env: Env, connId: string): Result<Connection | undefined> {
  const text = fromEnv(env, 'CONN', connId);
  return text === undefined ? ok(undefined) : parseConnection(connId, text);
}

/** `RONDO_VAR_{KEY}`, else `AIRFLOW_VAR_{KEY}`. */
export function variableFromEnv(env: Env, key: string): string | undefined {
  return fromEnv(env, 'VAR', key);
}

function fromEnv(env: Env, kind: 'CONN' | 'VAR', name: string): string | undefined {
  const upper = name.toUpperCase();
  const names = [upper, upper.replaceAll(/[^\p{L}\p{N}]/gu, '_')];
  for (const prefix of ['RONDO', 'AIRFLOW'])
    for (const each of names)
      if (env[`${prefix}_${kind}_${each}`] !== undefined) return env[`${prefix}_${kind}_${each}`];
  return undefined;
}
