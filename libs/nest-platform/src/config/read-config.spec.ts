import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from './read-config.ts';
import { address, choice, flag, list, text, whole } from './setting.ts';

const sections = {
  kafka: {
    brokers: list('Some of the brokers.', { required: true, form: [/^[^\s:]+:\d+$/, 'host:port'] }),
    sessionTimeout: whole('Milliseconds.', 1_000, 60_000, { default: 10_000 }),
    mechanism: choice('How to log in.', ['plain', 'scram-sha-256'], {}),
    password: text('Of the login.', { secret: true }),
    tls: flag('Encrypted.', { default: false }),
  },
  api: { listen: address('Where the API is served.', { default: '127.0.0.1:8080' }) },
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rondo-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const written = (content: string, name = 'rondo.yaml'): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const read = (args: readonly string[], env: Record<string, string> = {}, check?: () => readonly string[]) =>
  readConfig({ service: 'test', about: 'A test.', sections, ...(check === undefined ? {} : { check }) }, args, env);
const problems = (...given: Parameters<typeof read>): readonly string[] => {
  const result = read(...given);
  return result.kind === 'bad' ? result.problems : [];
};

describe('configuration of a service', () => {
  it('takes the environment over the file and the file over the defaults', () => {
    const path = written('kafka:\n  brokers: [a:1, b:2]\n  tls: true\n  sessionTimeout: 20000\n');
    const result = read(['--config', path], { RONDO_KAFKA_SESSION_TIMEOUT: '30000', RONDO_API_LISTEN: '[::]:0' });
    expect(result).toMatchObject({
      kind: 'run',
      config: {
        kafka: { brokers: ['a:1', 'b:2'], tls: true, sessionTimeout: 30_000, mechanism: undefined },
        api: { listen: { host: '::', port: 0 } },
      },
    });
  });

  it('reads JSON, by the path that the environment names', () => {
    const path = written('{"kafka":{"brokers":["a:1"]}}', 'rondo.json');
    expect(read([], { RONDO_CONFIG: path })).toMatchObject({ kind: 'run', config: { kafka: { brokers: ['a:1'] } } });
  });

  it('lists every problem with its place, its value and what is allowed', () => {
    const path = written('kafka:\n  tls: perhaps\n  broker: a:1\n  sessionTimeout: 5\ncache: {}\n');
    expect(problems(['--config', path], { RONDO_KAFKA_MECHANISM: 'none', RONDO_API_LISTEN: '8080' })).toEqual([
      `${path}: kafka.broker: there is no such setting; there are brokers, sessionTimeout, mechanism, password, tls`,
      `${path}: cache: there is no such section; there are kafka, api`,
      'kafka.brokers (RONDO_KAFKA_BROKERS) is missing: host:port, separated by commas is wanted (Some of the brokers.)',
      `${path}: kafka.sessionTimeout 5: a whole number from 1000 to 60000 is allowed`,
      'RONDO_KAFKA_MECHANISM "none": one of plain, scram-sha-256 is allowed',
      `${path}: kafka.tls "perhaps": yes or no is allowed`,
      'RONDO_API_LISTEN "8080": HOST:PORT; port 0: any free one is allowed',
    ]);
  });

  it('names the line of a file that is no YAML, and one that is not there', () => {
    const path = written('kafka:\n  password: [geheim\n');
    const [broken] = problems(['--config', path]);
    expect(broken).toMatch(/rondo\.yaml:\d+:\d+: it is no YAML or JSON/);
    expect(broken).not.toContain('geheim');
    expect(problems(['--config', join(folder, 'none.yaml')])[0]).toContain('no such file');
    expect(problems(['--verbose'])[0]).toContain('--verbose');
  });

  it('takes a secret from a file of its own, and repeats none', () => {
    const path = written('kafka:\n  brokers: [a:1]\n  password: {a: geheim}\n');
    const refused = problems(['--config', path]);
    expect(refused).toEqual([`${path}: kafka.password: a text is allowed`]);
    const secret = written('geheim\n', 'secret');
    const env = { RONDO_KAFKA_BROKERS: 'a:1', RONDO_KAFKA_PASSWORD_FILE: secret };
    expect(read([], env)).toMatchObject({ config: { kafka: { password: 'geheim' } }, secrets: ['geheim'] });
    expect(problems([], { ...env, RONDO_KAFKA_PASSWORD_FILE: join(folder, 'none') })[0]).toContain('_PASSWORD_FILE');
  });

  it('counts the password of a URL among the secrets, as it is and decoded', () => {
    const given = { db: { url: text('Where.', { secret: true, required: true }) } };
    const result = readConfig({ service: 't', about: '', sections: given }, [], {
      RONDO_DB_URL: 'postgres://me:p%40ss@db/x',
    });
    expect(result).toMatchObject({ secrets: ['postgres://me:p%40ss@db/x', 'p%40ss', 'p@ss'] });
  });

  it('asks for what several settings make together only when each is right', () => {
    const check = (): readonly string[] => ['kafka.mechanism needs kafka.password'];
    expect(problems([], { RONDO_KAFKA_BROKERS: 'a:1' }, check)).toEqual(check());
    expect(problems([], {}, check)).not.toEqual(check());
  });

  it('tells every setting with its default and its variable', () => {
    const result = read(['--help']);
    const help = result.kind === 'help' ? result.text : '';
    for (const name of ['BROKERS', 'SESSION_TIMEOUT', 'MECHANISM', 'PASSWORD', 'PASSWORD_FILE', 'TLS'])
      expect(help).toContain(`RONDO_KAFKA_${name}`);
    expect(help).toContain('Allowed: a whole number from 1000 to 60000. Default: 10000.');
    expect(help).toContain('Default: 127.0.0.1:8080.');
    expect(help).toContain('Default: wanted.');
  });
});
