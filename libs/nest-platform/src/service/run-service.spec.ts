import { text } from '../config/setting.ts';
import { runService, type Service, type ServiceDefinition } from './run-service.ts';

const sections = { db: { url: text('Where.', { secret: true }) } };
type Sections = typeof sections;

interface Line {
  readonly message: string;
  readonly health?: string;
  readonly level: string;
}

/** A service under way, whose process is this test. */
function running(compose: (service: Service<Sections>) => Promise<void>, env: Record<string, string> = {}) {
  const lines: Line[] = [];
  const errors: string[] = [];
  const exits: number[] = [];
  let signal: (name: string) => void = () => undefined;
  let crash: (error: unknown) => void = () => undefined;
  const definition: ServiceDefinition<Sections> = {
    service: 'test',
    about: 'A test.',
    release: '1',
    sections,
    compose,
  };
  const ended = runService(definition, {
    args: [],
    env: { RONDO_SERVICE_HEALTH: '127.0.0.1:0', RONDO_SERVICE_LOG_LEVEL: 'debug', ...env },
    out: (line) => void lines.push(JSON.parse(line) as Line),
    err: (line) => void errors.push(line),
    isTerminal: false,
    onSignal: (handler) => (signal = handler),
    onCrash: (handler) => (crash = handler),
    exit: (status) => void exits.push(status),
  });
  const said = async (message: string): Promise<Line> => {
    for (;;) {
      const line = lines.find((each) => each.message.startsWith(message));
      if (line !== undefined) return line;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const get = async (path: string) => {
    const response = await fetch(`${(await said('starting')).health}${path}`);
    return { status: response.status, body: await response.text() };
  };
  const stop = (): Promise<number> => {
    signal('SIGTERM');
    return ended;
  };
  return {
    lines,
    errors,
    exits,
    ended,
    said,
    get,
    stop,
    signal: () => signal('SIGTERM'),
    crash: (e: unknown) => crash(e),
  };
}

describe('a service', () => {
  it('is alive while it starts, ready when all parts are, and stops them in the reverse order', async () => {
    const order: string[] = [];
    const opened = Promise.withResolvers<void>();
    const service = running(
      async ({ add }) => {
        const part = (name: string, start?: () => Promise<void>) =>
          add({
            name,
            start: async () => {
              await start?.();
              order.push(`+${name}`);
            },
            stop: async (graceMs) => order.push(`-${name} ${graceMs}`),
            check: async () => `${name} is well`,
          });
        await part('store');
        await part('bus', () => opened.promise);
      },
      { RONDO_SERVICE_GRACE: '3' },
    );
    await service.said('store has started');
    expect((await service.get('/healthz')).status).toBe(200);
    const before = await service.get('/readyz');
    expect(before.status).toBe(503);
    expect(JSON.parse(before.body)).toEqual({
      status: 'failing',
      dependencies: {
        store: { state: 'ok', detail: 'store is well' },
        bus: { state: 'starting' },
        service: { state: 'starting' },
      },
    });
    opened.resolve();
    await service.said('ready');
    expect(await service.get('/readyz')).toMatchObject({ status: 200 });
    expect(await service.stop()).toBe(0);
    expect(order).toEqual(['+store', '+bus', '-bus 3000', '-store 3000']);
  });

  it('names the dependency that fails', async () => {
    const service = running(async ({ add }) => {
      await add({ name: 'store', check: () => Promise.reject(new Error('connection refused')) });
      await add({ name: 'bus' });
    });
    await service.said('ready');
    const { status, body } = await service.get('/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({
      dependencies: { store: { state: 'failing', detail: 'connection refused' }, bus: { state: 'ok' } },
    });
    await service.stop();
  });

  it('serves its metrics', async () => {
    const service = running(async ({ metrics }) => metrics.gauge('rondo_runs', 'Runs.', () => 1));
    await service.said('ready');
    const { status, body } = await service.get('/metrics');
    expect(status).toBe(200);
    expect(body).toContain('rondo_build_info{service="test",release="1"} 1\n');
    expect(body).toMatch(/\nprocess_cpu_seconds_total \d/);
    expect(body).toContain('\nrondo_runs 1\n');
    expect((await service.get('/other')).status).toBe(404);
    await service.stop();
  });

  it('is not ready while it stops, and ends at once at the second signal', async () => {
    const held = Promise.withResolvers<void>();
    const service = running(async ({ add }) => {
      await add({ name: 'work', stop: () => held.promise });
    });
    await service.said('ready');
    service.signal();
    await service.said('SIGTERM: stopping');
    expect(JSON.parse((await service.get('/readyz')).body)).toMatchObject({
      dependencies: { service: { state: 'stopping', detail: 'work' } },
    });
    expect(service.exits).toEqual([]);
    service.signal();
    expect(service.exits).toEqual([130]);
    held.resolve();
    expect(await service.ended).toBe(0);
  });

  it('stops what had started when a later part fails, with status 1', async () => {
    const order: string[] = [];
    const service = running(async ({ add }) => {
      await add({ name: 'store', stop: async () => order.push('store') });
      await add({
        name: 'bus',
        start: () => Promise.reject(new Error('refused')),
        stop: async () => order.push('bus'),
      });
    });
    expect(await service.ended).toBe(1);
    expect(order).toEqual(['bus', 'store']);
    expect(service.lines).toContainEqual(expect.objectContaining({ level: 'error', error: 'refused' }));
  });

  it('stops while it starts: nothing more is started, and what was starting stops', async () => {
    const order: string[] = [];
    const opening = Promise.withResolvers<void>();
    const service = running(async ({ add }) => {
      await add({ name: 'store', start: () => opening.promise, stop: async () => order.push('store') });
      await add({ name: 'bus', start: async () => order.push('bus') });
    });
    await service.said('starting');
    service.signal();
    await service.said('SIGTERM: stopping');
    opening.resolve();
    expect(await service.ended).toBe(0);
    expect(order).toEqual(['store']);
  });

  it('tells that a part did not stop as it should, and stops the others', async () => {
    const order: string[] = [];
    const service = running(async ({ add }) => {
      await add({ name: 'store', stop: async () => order.push('store') });
      await add({ name: 'bus', stop: () => Promise.reject(new Error('away')) });
    });
    await service.said('ready');
    expect(await service.stop()).toBe(0);
    expect(order).toEqual(['store']);
    expect(service.lines).toContainEqual(expect.objectContaining({ level: 'warn', error: 'away' }));
  });

  it('ends when an error is caught by nobody', async () => {
    const service = running(async () => undefined);
    await service.said('ready');
    service.crash(new Error('unseen'));
    expect(service.exits).toEqual([1]);
    await service.stop();
  });

  it('refuses a configuration that is wrong with status 2, and keeps secrets out of its log', async () => {
    const bad = running(async () => undefined, { RONDO_SERVICE_GRACE: 'long' });
    expect(await bad.ended).toBe(2);
    expect(bad.errors[0]).toBe('rondo-test: RONDO_SERVICE_GRACE "long": a whole number from 0 to 3600 is allowed\n');
    const env = { RONDO_DB_URL: 'postgres://me:geheim@db/x' };
    const service = running(async ({ log, config }) => log.error(`${config.db.url} is away, geheim`), env);
    await service.said('***');
    expect(JSON.stringify(service.lines)).not.toContain('geheim');
    await service.stop();
  });
});
