import { parseConnection } from './connection-text.ts';
import { connectionFromEnvironment, variableFromEnvironment } from './environment.ts';

describe('secrets from the environment', () => {
  it('finds a variable by its name in upper case', () => {
    const environment = {
      RONDO_VAR_DATA_DIR: '/data',
      RONDO_VAR_A_B: 'x',
      RONDO_VAR_EMPTY: '',
      AIRFLOW_VAR_OLD: 'y',
      AIRFLOW_VAR_A_B: 'z',
    };
    expect(variableFromEnvironment(environment, 'data_dir')).toBe('/data');
    expect(variableFromEnvironment(environment, 'a-b')).toBe('x');
    expect(variableFromEnvironment(environment, 'empty')).toBe('');
    expect(variableFromEnvironment(environment, 'old')).toBe('y');
    expect(variableFromEnvironment(environment, 'none')).toBeUndefined();
  });

  it('finds a connection by its name in upper case', () => {
    const environment = {
      RONDO_CONN_MY_DB: 'sqlite:///a.db',
      AIRFLOW_CONN_OLD: '{"conn_type":"http","host":"x","extra":"{\\"a\\":[1]}"}',
      RONDO_CONN_BLANK: ' ',
    };
    expect(connectionFromEnvironment(environment, 'my-db')).toEqual({
      connId: 'my-db',
      connType: 'sqlite',
      schema: 'a.db',
    });
    expect(connectionFromEnvironment(environment, 'old')).toEqual({
      connId: 'old',
      connType: 'http',
      host: 'x',
      extra: { a: [1] },
    });
    expect(connectionFromEnvironment(environment, 'blank')).toBeUndefined();
    expect(connectionFromEnvironment(environment, 'none')).toBeUndefined();
  });
});

describe('parseConnection', () => {
  it.each([
    [
      'postgres://me:s%40cret@db.example:5432/shop?sslmode=require',
      {
        connType: 'postgres',
        host: 'db.example',
        port: 5432,
        schema: 'shop',
        login: 'me',
        password: 's@cret',
        extra: { sslmode: 'require' },
      },
    ],
    ['http://example.com:80', { connType: 'http', host: 'example.com', port: 80 }],
    ['http://https://example.com', { connType: 'http', host: 'https://example.com' }],
    [
      'google-cloud-platform://?__extra__=%7B%22a%22%3A%7B%22b%22%3A1%7D%7D',
      { connType: 'google_cloud_platform', extra: { a: { b: 1 } } },
    ],
    ['sqlite:///%2Fdata%2Fshop.db', { connType: 'sqlite', schema: '/data/shop.db' }],
    [
      '{"connType":"sqlite","host":"/data/shop.db","login":null,"extra":{"readOnly":true}}',
      { connType: 'sqlite', host: '/data/shop.db', extra: { readOnly: true } },
    ],
  ])('reads %s', (text, expected) => {
    expect(parseConnection('c', text)).toEqual({ connId: 'c', ...expected });
  });

  it.each([
    ['s3cret', /the connection 'c' is neither a URL/],
    ['{"connType"', /the connection 'c' is no JSON object/],
    ['{"host":"x"}', /lacks connType/],
    ['{"connType":"x","pasword":"s3cret"}', /has pasword; connType, host/],
    ['{"connType":"x","port":"80"}', /port of the connection 'c'/],
    ['{"connType":"x","password":3}', /password of the connection 'c' is no text/],
    ['{"connType":"x","extra":"s3cret"}', /extra of the connection 'c' is no JSON object/],
    ['x://s3cret:a@b:port', /the connection 'c' is no URL/],
  ])('refuses %j and does not repeat it', (text, message) => {
    const read = (): unknown => parseConnection('c', text);
    expect(read).toThrow(message);
    expect(read).not.toThrow(/s3cret/);
  });
});
