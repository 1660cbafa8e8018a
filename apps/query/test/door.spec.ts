import { request } from 'node:http';
import { err, ok } from '@rondo/kernel';
import { ApiUnderTest } from './api-kit.ts';

describe('the door', () => {
  let api: ApiUnderTest;
  const asked: unknown[] = [];
  beforeAll(async () => {
    api = await ApiUnderTest.start({
      door: { token: 'right', hosts: ['rondo.example.org'], origins: ['https://ui.example.org'] },
      authorize: (actor, action, resource) => {
        asked.push({ actor, action, resource });
        return action === 'administer' && actor.name === 'token' ? err('not for you') : ok(undefined);
      },
    });
  });
  afterAll(() => api.stop());

  /** fetch does not let a test choose the Host. */
  function status(headers: Record<string, string>, path = '/version', method = 'GET'): Promise<number> {
    const { hostname, port } = new URL(api.server.url);
    return new Promise((resolve, reject) => {
      const sent = request({ hostname, port, path: `/api/v1${path}`, method, headers }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      sent.on('error', reject);
      sent.end();
    });
  }
  const port = (): string => new URL(api.server.url).port;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  it('lets this machine in, under its own names only', async () => {
    expect(await status({ host: `127.0.0.1:${port()}` })).toBe(200);
    expect(await status({ host: `localhost:${port()}` })).toBe(200);
    expect(await status({ host: 'evil.example.com' })).toBe(403);
    expect(await status({ host: '127.0.0.1.evil.example.com' })).toBe(403);
  });

  it('refuses pages of other origins, also to write', async () => {
    const host = `localhost:${port()}`;
    expect(await status({ host, origin: `http://${host}` })).toBe(200);
    expect(await status({ host, origin: 'https://ui.example.org' })).toBe(200);
    expect(await status({ host, origin: 'https://evil.example.com' })).toBe(403);
    expect(await status({ host, origin: 'null' }, '/dags/d/pause', 'POST')).toBe(403);
    expect(await status({ host, origin: `http://localhost:1` })).toBe(403);
  });

  it('tells a browser which pages of other origins may use the API', async () => {
    const headers = { origin: 'https://ui.example.org', 'access-control-request-method': 'POST' };
    const preflight = await fetch(`${api.server.url}/api/v1/dags/d/runs`, { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://ui.example.org');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Idempotency-Key');
    const own = await fetch(`${api.server.url}/api/v1/version`);
    expect(own.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('asks everybody else for the token', async () => {
    const host = 'rondo.example.org';
    expect(await status({ host })).toBe(401);
    expect(await status({ host, ...bearer('wrong') })).toBe(401);
    expect(await status({ host, ...bearer('right') })).toBe(200);
    expect(await status({ host: `localhost:${port()}`, 'x-forwarded-for': '203.0.113.9' })).toBe(401);
    expect(await status({ host: `localhost:${port()}`, ...bearer('wrong') })).toBe(401);
  });

  it('has each request authorised by who asks, what for, and of what', async () => {
    asked.length = 0;
    const host = 'rondo.example.org';
    expect(await status({ host, ...bearer('right') }, '/variables/k', 'DELETE')).toBe(403);
    expect(await status({ host, ...bearer('right') }, '/dags/d/runs/r')).toBe(404);
    expect(asked).toEqual([
      { actor: { kind: 'user', name: 'token' }, action: 'administer', resource: { kind: 'variables', key: 'k' } },
      { actor: { kind: 'user', name: 'token' }, action: 'read', resource: { kind: 'runs', dagId: 'd', runId: 'r' } },
    ]);
  });
});
