import type { Connection } from '@rondo/domain';
import { type Context, parseCount, readJson, type Registry } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import type { ConnectionAnswer, ImportAnswer, Page } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, facts, table } from '../output/format.ts';
import { readObject, writeObject } from './variables.ts';

const ALL = { limit: 1_000 };

async function list(context: Context): Promise<void> {
  const page = await context.api.get<Page<ConnectionAnswer>>('/connections', ALL);
  context.answer(page, () => {
    const rows = page.items.map((c) => [c.connId, c.connType, c.host, c.port, c.schema, c.login, brief(c.description)]);
    return table(['ID', 'TYPE', 'HOST', 'PORT', 'SCHEMA', 'LOGIN', 'DESCRIPTION'], rows);
  });
}

async function get(context: Context, connId: string): Promise<void> {
  const c = await context.api.get<ConnectionAnswer>(path('connections', connId));
  context.answer(c, () =>
    facts([
      ['id', c.connId],
      ['type', c.connType],
      ['host', c.host],
      ['port', c.port],
      ['schema', c.schema],
      ['login', c.login],
      ['description', c.description],
    ]),
  );
}

interface SetOptions {
  readonly type?: string;
  readonly uri?: string;
  readonly host?: string;
  readonly port?: string;
  readonly schema?: string;
  readonly login?: string;
  readonly passwordInput?: boolean;
  readonly extra?: string;
  readonly description?: string;
}

async function set(context: Context, connId: string, options: SetOptions): Promise<void> {
  const fromUri = options.uri === undefined ? {} : await parseText(connId, options.uri, '--uri');
  const connection = {
    ...fromUri,
    ...(options.type === undefined ? {} : { connType: options.type }),
    host: options.host ?? fromUri.host,
    port: options.port === undefined ? fromUri.port : parseCount(options.port, '--port'),
    schema: options.schema ?? fromUri.schema,
    login: options.login ?? fromUri.login,
    password:
      options.passwordInput === true ? (await context.terminal.readInput()).replace(/\r?\n$/, '') : fromUri.password,
    extra: options.extra === undefined ? fromUri.extra : await readJson(context, options.extra, '--extra'),
    description: options.description,
  };
  if (connection.connType === undefined)
    throw new UsageError('a connection needs --type or --uri, for example --type sqlite or --uri http://host:8080');
  const answer = await context.api.put<unknown>(path('connections', connId), connection);
  context.answer(answer, () => `connection ${connId} is set`);
}

/** A connection as a URL or a JSON object, the way the environment may give it too. */
async function parseText(connId: string, text: string, place: string): Promise<Partial<Connection>> {
  const { parseConnection } = await import('@rondo/sdk');
  const parsed = parseConnection(connId, text);
  if (!parsed.ok) throw new UsageError(`${place}: ${parsed.error}`);
  const { connId: _, ...parts } = parsed.value;
  return parts;
}

async function remove(context: Context, connId: string): Promise<void> {
  await context.api.delete(path('connections', connId));
  context.answer({ connId, deleted: true }, () => `connection ${connId} is deleted`);
}

async function importAll(context: Context, file: string): Promise<void> {
  const connections = await readObject(context, file, 'connections by id');
  const { imported } = await context.api.post<ImportAnswer>('/import/connections', { connections });
  context.answer({ imported }, () => `${imported} connections are set`);
}

async function exportAll(context: Context, file: string | undefined): Promise<void> {
  const page = await context.api.get<Page<ConnectionAnswer>>('/connections', ALL);
  const connections = Object.fromEntries(page.items.map(({ connId, ...rest }) => [connId, rest]));
  await writeObject(
    context,
    file,
    connections,
    page.items.length,
    'connections (without passwords and extras, which the platform never shows)',
  );
}

export function registerConnections({ program, action }: Registry): void {
  const connections = program
    .command('connections')
    .description('the connections that tasks may use; they are stored encrypted');
  connections.command('list').description('list the connections').action(action(list));
  connections.command('get').description('show a connection, without its secrets').argument('<id>').action(action(get));
  connections
    .command('set')
    .description('set a connection')
    .argument('<id>')
    .option('--type <type>', 'for example sqlite, http, postgres')
    .option('--uri <uri>', 'type://login:password@host:port/schema?key=value; the other options come first')
    .option('--host <host>')
    .option('--port <port>')
    .option('--schema <schema>', 'database, or path of the SQLite file')
    .option('--login <login>')
    .option('--password-input', 'read the password from the standard input, so that no list of processes shows it')
    .option('--extra <json>', 'further settings: JSON, @file or -')
    .option('--description <text>')
    .action(action(set));
  connections.command('delete').description('delete a connection').argument('<id>').action(action(remove));
  connections
    .command('import')
    .description('set all connections of a JSON object: by id, each a URI or an object')
    .argument('<file>', 'a file, or -')
    .action(action(importAll));
  connections
    .command('export')
    .description('print or write the connections, without secrets')
    .argument('[file]')
    .action(action(exportAll));
}
