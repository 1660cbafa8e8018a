import type { Connection } from '@rondo/domain';
import fc from 'fast-check';
import { connectionFromEnv, formatConnection, parseConnection, variableFromEnv } from './connections.ts';

const parse = (text: string): Connection => {
  const parsed = parseConnection('c', text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};
const refusal = (text: string): string => {
  const parsed = parseConnection('c', text);
  return parsed.ok ? 'accepted' : parsed.error;
};

describe('connections', () => {
  it.each([
    [
      'postgresql://me:p%40ss@db.example.org:5432/my%2Fdb?sslmode=require',
      {
        connType: 'postgres',
        host: 'db.example.org',
        port: 5432,
        schema: 'my/db',
        login: 'me',
        password: 'p@ss',
        extra: { sslmode: 'require' },
      },
    ],
    ['sqlite:///%2Ftmp%2Fx.db', { connType: 'sqlite', schema: '/tmp/x.db' }],
    ['http://https://example.org:8443', { connType: 'http', host: 'https://example.org', port: 8443 }],
    [
      'google-cloud-platform://?__extra__=%7B%22a%22%3A%7B%22b%22%3A1%7D%7D',
      { connType: 'google_cloud_platform', extra: { a: { b: 1 } } },
    ],
    ['x://:only%3Apassword@', { connType: 'x', password: 'only:password' }],
    ['x://[::1]:80', { connType: 'x', host: '::1', port: 80 }],
    [
      '{"conn_type":"ftp","host":"h","port":"21","extra":"{\\"a\\":1}"}',
      { connType: 'ftp', host: 'h', port: 21, extra: { a: 1 } },
    ],
    ['{"connType":"ftp","login":"","extra":{"a":[1]}}', { connType: 'ftp', extra: { a: [1] } }],
    ['{"uri":"ftp://h"}', { connType: 'ftp', host: 'h' }],
  ])('%s', (text, expected) => {
    expect(parse(text)).toEqual({ connId: 'c', ...expected });
  });

  it.each([
    ['just text', "the text is no URI of the form 'type://…'"],
    ['x://h:port', 'the port is no number'],
    ['x://h:99999', 'the port is 99999, more than 65535'],
    ['x://u:100%@h', "a part is not percent-encoded ('%' must be '%25')"],
    ['x://h?__extra__=[1]', 'extra is no JSON object'],
    ['{"host":"h"}', 'conn_type is missing'],
    ['{"conn_type":"x","pasword":"secret"}', "'pasword' is not a field"],
    ['{"conn_type":"x","password":5}', 'password is no text'],
    ['{broken', 'the text begins like a JSON object and is none'],
  ])('refuses %s', (text, reason) => {
    expect(refusal(text)).toContain(`connection 'c': ${reason}; allowed: a URI such as`);
    expect(refusal(text)).not.toContain('secret');
  });

  it('come back from their URI', () => {
    const part = fc.string({ minLength: 1, unit: 'binary' }).filter((s) => s.isWellFormed());
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/).filter((type) => type !== 'postgresql');
    const connections = fc.record(
      {
        connType: name,
        host: fc.oneof(
          part.filter((h) => !h.includes('://') && !/^\[.*\]$/s.test(h)),
          fc.constant('https://h'),
        ),
        port: fc.nat(65_535),
        schema: part,
        login: part,
        password: part,
        extra: fc.dictionary(name, fc.jsonValue(), { minKeys: 1 }),
      },
      { requiredKeys: ['connType'] },
    );
    fc.assert(
      fc.property(connections, (c) => {
        const connection = { connId: 'c', ...c } as Connection;
        expect(parse(formatConnection(connection))).toEqual(JSON.parse(JSON.stringify(connection)));
      }),
    );
  });

  it('and variables are found in the environment', () => {
    const env = { RONDO_CONN_MY_DB: 'x://h', AIRFLOW_CONN_OLD: 'y://h', RONDO_VAR_KEY: 'v', AIRFLOW_VAR_OLD: 'o' };
    expect(connectionFromEnv(env, 'my-db')).toMatchObject({ ok: true, value: { connId: 'my-db', connType: 'x' } });
    expect(connectionFromEnv(env, 'old')).toMatchObject({ ok: true, value: { connType: 'y' } });
    expect(connectionFromEnv(env, 'none')).toEqual({ ok: true, value: undefined });
    expect([variableFromEnv(env, 'key'), variableFromEnv(env, 'old'), variableFromEnv(env, 'none')]).toEqual([
      'v',
      'o',
      undefined,
    ]);
  });
});
