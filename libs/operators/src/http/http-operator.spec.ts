import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Dag } from '@rondo/sdk';
import { message, root, run, value, type Ran, type World } from '../../test/harness.ts';
import { HttpOperator } from '../index.ts';

describe('HttpOperator', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const body: Buffer[] = [];
      request.on('data', (chunk: Buffer) => body.push(chunk));
      request.on('end', () => {
        const path = request.url ?? '';
        if (path.startsWith('/fail')) return void response.writeHead(503).end('not now');
        if (path.startsWith('/text')) return void response.end('plain');
        if (path.startsWith('/large')) return void response.end('x'.repeat(300_000));
        if (path.startsWith('/cut')) {
          response.writeHead(200, { 'content-length': '1000' });
          response.write('part');
          return void setImmediate(() => response.destroy());
        }
        if (path.startsWith('/hang')) return;
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            method: request.method,
            path,
            body: Buffer.concat(body).toString(),
            auth: request.headers.authorization,
            x: request.headers['x-own'],
          }),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());
  const http = (args: object, world: World = {}): Promise<Ran> =>
    run(() => new HttpOperator({ id: 't', ...args } as never), world);

  it('sends requests and returns JSON or text', async () => {
    expect(value(await http({ url: `${url}/a`, query: { day: '{{ ds }}', n: 1 } }))).toMatchObject({
      method: 'GET',
      path: '/a?day=2024-12-01&n=1',
    });
    expect(
      value(await http({ url: `${url}/a`, method: 'POST', body: { day: '{{ ds }}' }, headers: { 'x-own': 'h' } })),
    ).toMatchObject({ method: 'POST', body: '{"day":"2024-12-01"}', x: 'h' });
    expect(value(await http({ url: `${url}/text` }))).toBe('plain');
    expect(
      value(await http({ url: `${url}/a`, responseFilter: (a: { json: () => { path: string } }) => a.json().path })),
    ).toBe('/a');
  });

  it('goes by a connection', async () => {
    const { port } = new URL(url);
    const connections = {
      api: {
        connId: 'api',
        connType: 'http',
        host: '127.0.0.1',
        port: Number(port),
        login: 'me',
        password: 'pw',
        extra: { 'x-own': 'extra' },
      },
    };
    expect(value(await http({ url: '/a', connection: 'api' }, { connections }))).toMatchObject({
      path: '/a',
      auth: `Basic ${Buffer.from('me:pw').toString('base64')}`,
      x: 'extra',
    });
    expect(value(await http({ url: 'b?x=1', connection: `http://127.0.0.1:${port}/base` }))).toMatchObject({
      path: '/base/b?x=1',
    });
    expect(message(await http({ url: 'b', connection: 'none' }))).toBe("there is no connection 'none'");
    expect(() => new Dag({ id: 'd' }, () => void new HttpOperator({ id: 't' }))).toThrow(/url, connection or both/);
  });

  it('fails by status, by its check, and when nobody answers', async () => {
    expect(message(await http({ url: `${url}/fail` }))).toBe(`${url}/fail answered 503 Service Unavailable: not now`);
    expect(message(await http({ url: `${url}/text`, responseCheck: () => false }))).toBe(
      `${url}/text answered 200, which responseCheck refused: plain`,
    );
    expect(value(await http({ url: `${url}/fail`, responseCheck: (a: { status: number }) => a.status === 503 }))).toBe(
      'not now',
    );
    expect(message(await http({ url: 'http://127.0.0.1:1/x' }))).toMatch(
      /^http:\/\/127\.0\.0\.1:1 could not be reached: /,
    );
    const abort = new AbortController();
    const hanging = http({ url: `${url}/hang` }, { signal: abort.signal });
    setImmediate(() => abort.abort(new Error('cancelled')));
    expect(message(await hanging)).toBe('cancelled');
  });

  it('downloads to a file that appears when it is whole', async () => {
    const path = join(root, 'deep', 'file.bin');
    expect(value(await http({ url: `${url}/large`, saveTo: path }))).toEqual({ path, bytes: 300_000, status: 200 });
    expect(readFileSync(path)).toHaveLength(300_000);
    const cut = join(root, 'deep', 'cut.bin');
    expect(message(await http({ url: `${url}/cut`, saveTo: cut }))).toMatch(
      /the download of .*\/cut broke off after \d+ bytes/,
    );
    expect(message(await http({ url: `${url}/fail`, saveTo: cut }))).toContain('answered 503');
    expect(existsSync(cut)).toBe(false);
    expect(readdirSync(join(root, 'deep'))).toEqual(['file.bin']);
    expect(message(await http({ url: `${url}/large`, saveTo: 'relative' }))).toContain(
      "saveTo is 'relative'; allowed: an absolute path",
    );
  });
});
