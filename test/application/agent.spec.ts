import { serveAttemptCall } from '@rondo/application';
import type { AttemptServices, CallbackAssignment, WatchAssignment } from '@rondo/ports';
import { AgentWorld, attempt, finished, idOf, LEASE_MS, settled } from './agent-world.ts';

const watch = (id: string): WatchAssignment => ({ id }) as WatchAssignment;
const callback = (id: string): CallbackAssignment => ({ id }) as CallbackAssignment;

describe('the sessions of a worker', () => {
  it('begin with a hello and a beat', async () => {
    const { a } = await new AgentWorld().start();
    expect(a.end.sent.map(({ kind }) => kind)).toEqual(['hello', 'beat']);
    expect(a.end.take('hello')[0]!.hello).toMatchObject({ worker: 'w', boot: 'boot', slots: 4, draining: false });
  });

  it('are tried again with pauses that grow to ten seconds, and begin anew after a welcome', async () => {
    const world = new AgentWorld();
    world.a.isAway = true;
    await world.start();
    await world.pass(60_000);
    expect(world.a.tries).toBe(1 + 6 + 4);
    world.a.isAway = false;
    await world.pass(10_000);
    world.a.welcome();
    world.a.end.close();
    await world.pass(250);
    expect(world.a.ends).toHaveLength(2);
    expect(world.notices.filter((text) => text.includes('cannot be reached'))).toHaveLength(1);
  });

  it('end when a gateway does not welcome, or says something else first', async () => {
    const world = await new AgentWorld().start();
    await world.pass(10_000);
    expect(world.a.ends[0]!.isClosed).toBe(true);
    world.a.end.say({ kind: 'beaten', n: 1 });
    expect(world.a.end.isClosed).toBe(true);
  });

  it('beat each third of the lease', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome();
    end.take('beat');
    await world.pass(LEASE_MS);
    expect(end.take('beat').map(({ n }) => n)).toEqual([2, 3, 4]);
  });

  it('are closed when a lease has passed without an answer', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome();
    end.answersBeats = false;
    await world.pass(LEASE_MS - 1_000);
    expect(end.isClosed).toBe(false);
    await world.pass(2_000);
    expect(end.isClosed).toBe(true);
    expect(world.a.ends.length).toBeGreaterThan(1);
  });

  it('leave out what a later release may say', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome();
    end.say({ kind: 'whatever' } as never);
    expect(end.isClosed).toBe(false);
    expect(world.notices.at(-1)).toContain('whatever');
  });
});

describe('the slots of a worker', () => {
  it('are divided among its gateways, and go to who has orders', async () => {
    const world = await new AgentWorld(2).start();
    const [a, b] = world.lines.map((line) => line.welcome());
    await settled();
    expect([a!.offer, b!.offer]).toEqual([2, 2]);
    b!.say({ kind: 'demand', waiting: 9 });
    await settled();
    expect([a!.offer, b!.offer]).toEqual([0, 4]);
  });

  it('are not offered anew before the gateway that loses them knows', async () => {
    const world = await new AgentWorld(2).start();
    const [a, b] = world.lines.map((line) => line.welcome());
    await settled();
    a!.answersBeats = false;
    b!.say({ kind: 'demand', waiting: 9 });
    await settled();
    expect([a!.offer, b!.offer]).toEqual([0, 2]);
    // It crossed with the lower offer.
    world.assign(world.a, 1, 1, attempt('x'));
    a!.say({ kind: 'beaten', n: a!.take('beat').at(-1)!.n });
    await settled();
    expect([a!.offer, b!.offer]).toEqual([1, 3]);
  });

  it('stay with what runs when a session closes', async () => {
    const world = await new AgentWorld(2).start();
    for (const line of world.lines) line.welcome();
    await settled();
    world.assign(world.a, 1, 1, attempt('x'));
    world.a.end.close();
    await settled();
    expect(world.b.end.offer).toBe(3);
    world.session.finish(idOf('x'));
    await settled();
    expect(world.b.end.offer).toBe(4);
  });

  it('are not offered by a worker that drains', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome();
    await settled();
    world.agent.drain();
    await settled();
    expect(end.offer).toBe(0);
    expect(end.take('draining')).toHaveLength(1);
    end.close();
    await world.pass(500);
    expect(world.a.end.take('hello')[0]!.hello.draining).toBe(true);
    world.a.welcome();
    await settled();
    expect(world.a.end.offer).toBe(0);
  });
});

describe('generations (I2)', () => {
  it('are answered with what the worker has of the partitions', async () => {
    const world = await new AgentWorld(2).start();
    world.a.welcome({ 1: 5, 2: 5 });
    world.b.welcome();
    world.assign(world.a, 1, 5, attempt('runs'), attempt('ends'));
    world.assign(world.a, 2, 5, attempt('other'));
    world.session.started(idOf('runs'));
    world.session.finish(idOf('ends'));
    world.b.own({ 1: 6 });
    expect(world.b.end.take('claims')[0]!.claims).toEqual([
      { partition: 1, generation: 6, running: [idOf('runs')], ended: [idOf('ends')] },
    ]);
    expect(world.b.end.reports().map(({ kind, id }) => [kind, id])).toEqual([
      ['started', idOf('runs')],
      ['finished', idOf('ends')],
    ]);
  });

  it('refuse what a lower one hands out', async () => {
    const world = await new AgentWorld(2).start();
    world.a.welcome({ 1: 5, 2: 5 });
    world.b.welcome({ 1: 6 });
    world.assign(world.a, 1, 5, attempt('x'));
    world.assign(world.a, 2, 5, attempt('y'));
    expect(world.session.assigned).toEqual([idOf('y')]);
    expect(world.a.end.take('refused')).toEqual([{ kind: 'refused', ids: [idOf('x')], partition: 1, generation: 5 }]);
    world.a.own({ 1: 5 });
    expect(world.a.end.take('refused')).toEqual([{ kind: 'refused', ids: [], partition: 1, generation: 5 }]);
    expect(world.a.end.take('claims')).toHaveLength(1);
  });

  it('drop an attempt that is known (I1)', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome({ 1: 1 });
    world.assign(world.a, 1, 1, attempt('x'));
    world.assign(world.a, 1, 1, attempt('x'));
    world.session.finish(idOf('x'));
    expect(end.reports()).toHaveLength(1);
    world.assign(world.a, 1, 1, attempt('x'));
    expect(end.reports()).toEqual([finished(idOf('x'))]);
    end.say({ kind: 'acknowledge', ids: [idOf('x')] });
    world.assign(world.a, 1, 1, attempt('x'));
    expect(world.session.assigned).toEqual([idOf('x')]);
  });
});

describe('reports', () => {
  it('go to the owner, and again until they are acknowledged', async () => {
    const world = await new AgentWorld(2).start();
    for (const line of world.lines) line.welcome();
    world.b.own({ 1: 1 });
    world.assign(world.b, 1, 1, attempt('x'));
    world.session.finish(idOf('x'));
    expect(world.a.end.reports()).toEqual([]);
    expect(world.b.end.reports()).toHaveLength(1);
    world.b.end.close();
    // Whoever is there passes it on meanwhile.
    expect(world.a.end.reports()).toHaveLength(1);
    await world.pass(1_000);
    world.b.welcome({ 1: 2 });
    expect(world.b.end.reports()).toHaveLength(1);
    world.b.end.say({ kind: 'acknowledge', ids: [idOf('x')] });
    expect(world.session.acknowledged).toEqual([idOf('x')]);
    world.b.own({ 1: 3 });
    expect(world.b.end.take('claims').at(-1)!.claims[0]!.ended).toEqual([]);
    expect(world.b.end.reports()).toEqual([]);
  });

  it('are said again when a lease has passed without an acknowledgement', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome({ 1: 1 });
    world.assign(world.a, 1, 1, attempt('x'));
    world.session.finish(idOf('x'));
    await world.pass(LEASE_MS * 1.5);
    expect(end.reports()).toHaveLength(2);
  });

  it('of an earlier process go to whoever is there, and are claimed in every partition', async () => {
    const world = new AgentWorld();
    world.session.hello = { ...world.session.hello, interrupted: ['old', 'older'] };
    await world.start();
    world.session.finish('before');
    const end = world.a.welcome();
    expect(end.take('hello')[0]!.hello.interrupted).toEqual(['old', 'older']);
    expect(end.reports()).toEqual([finished('before')]);
    world.a.own({ 3: 1, 4: 1 });
    expect(end.take('claims')[0]!.claims.map(({ ended }) => ended)).toEqual([['before'], ['before']]);
    end.say({ kind: 'acknowledge', ids: ['old', 'before'] });
    end.close();
    await world.pass(500);
    expect(world.a.end.take('hello')[0]!.hello.interrupted).toEqual(['older']);
  });

  it('of a lost journal are not told for good', async () => {
    const world = new AgentWorld();
    world.session.hello = { ...world.session.hello, journalIntact: false };
    await world.start();
    const first = world.a.welcome();
    await world.pass(30_000);
    first.close();
    await world.pass(500);
    const second = world.a.welcome();
    await world.pass(31_000);
    second.close();
    await world.pass(500);
    const intact = world.a.ends.map((end) => end.take('hello')[0]!.hello.journalIntact);
    expect(intact).toEqual([false, false, true]);
  });

  it('of watches and callbacks go to who asked, or to the next that is there', async () => {
    const world = await new AgentWorld(2).start();
    for (const line of world.lines) line.welcome();
    world.b.end.say({ kind: 'watch', watches: [watch('w1'), watch('w2')] });
    world.b.end.say({ kind: 'callbacks', callbacks: [callback('c1')] });
    expect(world.session.callbacks).toEqual(['c1']);
    world.session.report({ kind: 'waited', id: 'w1', at: 1, answer: { kind: 'met' } });
    expect(world.b.end.reports().map(({ id }) => id)).toEqual(['w1']);
    world.a.isAway = true;
    for (const line of world.lines) line.end.close();
    world.session.report({ kind: 'callback', id: 'c1', at: 1 });
    await world.pass(500);
    world.b.welcome();
    expect(world.b.end.reports().map(({ id }) => id)).toEqual(['c1']);
    world.b.end.say({ kind: 'unwatch', ids: ['w2'] });
    expect([...world.session.watched]).toEqual(['w1']);
  });
});

describe('what a gateway asks for', () => {
  it('is passed on: cancellations and parses', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome({ 1: 1 });
    world.assign(world.a, 1, 1, attempt('x'));
    end.say({ kind: 'cancel', ids: [idOf('x')], reason: 'because' });
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'cancelled' }]);
    end.say({ kind: 'parse', request: { id: 'p', root: '/', file: 'f.ts' } });
    await settled();
    expect(end.take('parsed')[0]!.result).toMatchObject({ id: 'p', file: 'f.ts' });
  });
});

describe('calls of attempts', () => {
  it('go to the owner of the attempt, and again to another when its session breaks', async () => {
    const world = await new AgentWorld(2).start();
    for (const line of world.lines) line.welcome();
    world.b.own({ 1: 1 });
    world.assign(world.b, 1, 1, attempt('x'));
    const answer = world.calls.services.variable(idOf('x'), 'key');
    const [call] = world.b.end.take('call');
    expect(call).toMatchObject({ attempt: idOf('x'), method: 'variable', args: ['key'] });
    world.b.end.close();
    const [again] = world.a.end.take('call');
    world.a.end.say({ kind: 'answer', n: again!.n, value: 'value' });
    await expect(answer).resolves.toBe('value');
  });

  it('wait while there is no gateway, and fail when the service does', async () => {
    const world = await new AgentWorld().start();
    const answer = world.calls.services.connection('id', 'c');
    const end = world.a.welcome();
    end.say({ kind: 'answer', n: end.take('call')[0]!.n, error: 'there is no such thing' });
    await expect(answer).rejects.toThrow('there is no such thing');
  });

  it('bring arguments and values through as they are', async () => {
    const world = await new AgentWorld().start();
    const stored = new Map<string, Uint8Array>();
    const services = {
      putBlob: async (_id, bytes) => (stored.set('hash', bytes), 'hash'),
      getBlob: async (_id, hash) => stored.get(hash),
      xcomList: async (_id, query) => ({ values: [{ mapIndex: query.under, value: query.limit }], total: 1 }),
    } as Partial<AttemptServices> as AttemptServices;
    const end = world.a.welcome();
    const serve = async (): Promise<void> => {
      for (const { n, attempt: id, method, args } of end.take('call')) {
        const value = await serveAttemptCall(services, id, method, args);
        end.say({ kind: 'answer', n, ...(value === undefined ? {} : { value }) });
      }
    };
    const { services: called } = world.calls;
    const put = called.putBlob('id', Uint8Array.of(0, 255, 10));
    await serve();
    await expect(put).resolves.toBe('hash');
    const get = called.getBlob('id', 'hash');
    const none = called.getBlob('id', 'other');
    const list = called.xcomList('id', { taskId: 't', key: 'k', under: '2', offset: 0, limit: 9 });
    await serve();
    expect([...(await get)!]).toEqual([0, 255, 10]);
    await expect(none).resolves.toBeUndefined();
    await expect(list).resolves.toEqual({ values: [{ mapIndex: '2', value: 9 }], total: 1 });
    await expect(serveAttemptCall(services, 'id', 'nothing', [])).rejects.toThrow("no service 'nothing'");
  });
});

describe('leaving', () => {
  it('lets attempts end, delivers their results, and goes', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome({ 1: 1 });
    world.assign(world.a, 1, 1, attempt('x'));
    const left = world.agent.leave(20_000);
    await world.pass(5_000);
    world.session.finish(idOf('x'));
    await world.pass(500);
    expect(world.session.isStopped).toBe(false);
    end.say({ kind: 'acknowledge', ids: [idOf('x')] });
    await left;
    expect(end.take('leaving')).toHaveLength(1);
    expect(world.session.cancelled).toEqual([]);
    expect(world.session.isStopped && end.isClosed).toBe(true);
  });

  it('gives up as lost what does not end within the grace', async () => {
    const world = await new AgentWorld().start();
    world.a.welcome({ 1: 1 });
    world.assign(world.a, 1, 1, attempt('x'));
    const left = world.agent.leave(5_000);
    await world.pass(5_000);
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'lost' }]);
    world.session.report({ kind: 'lost', id: idOf('x'), at: 1, reason: 'stopped' });
    world.a.end.say({ kind: 'acknowledge', ids: [idOf('x')] });
    await left;
  });

  it('is cut short by a second request', async () => {
    const world = await new AgentWorld().start();
    world.a.welcome({ 1: 1 });
    world.assign(world.a, 1, 1, attempt('x'));
    const hurry = new AbortController();
    const left = world.agent.leave(3_600_000, hurry.signal);
    hurry.abort();
    await left;
    expect(world.a.end.take('leaving')).toEqual([]);
    expect(world.session.isStopped).toBe(true);
  });

  it('is due when a gateway has sent the worker away and nothing is left', async () => {
    const world = await new AgentWorld().start();
    const end = world.a.welcome({ 1: 1 });
    world.assign(world.a, 1, 1, attempt('x'));
    end.say({ kind: 'drain' });
    await settled();
    expect(end.take('draining')).toHaveLength(1);
    world.session.finish(idOf('x'));
    await settled();
    expect(world.isDrained).toBe(false);
    end.say({ kind: 'acknowledge', ids: [idOf('x')] });
    await settled();
    expect(world.isDrained).toBe(true);
  });
});
