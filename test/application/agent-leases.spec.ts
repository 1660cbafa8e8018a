import type { WatchAssignment } from '@rondo/ports';
import { AgentWorld, attempt, idOf, LEASE_MS, settled } from './agent-world.ts';

/** Of a lease of 30 s: an attempt takes 6.5 s to end. */
const ENDS_AT = LEASE_MS - 6_500;

async function worldWith(...tasks: readonly string[]): Promise<AgentWorld> {
  const world = await new AgentWorld(2).start();
  world.a.welcome({ 1: 1 });
  world.b.welcome();
  world.assign(world.a, 1, 1, ...tasks.map((task) => attempt(task)));
  return world;
}

describe('the lease of a worker (I3)', () => {
  it('goes on while beats are answered', async () => {
    const world = await worldWith('x');
    await world.pass(10 * LEASE_MS, 1_000);
    expect(world.session.cancelled).toEqual([]);
  });

  it('runs from when the last answered beat was sent', async () => {
    const world = await worldWith('x');
    const end = world.a.end;
    await world.pass(LEASE_MS / 3 - 250);
    end.answersBeats = false;
    await world.pass(250);
    const sentAt = world.clock.now();
    await world.pass(5_000);
    end.say({ kind: 'beaten', n: end.take('beat').at(-1)!.n });
    await world.pass(ENDS_AT - 5_000 - 250);
    expect(world.session.cancelled).toEqual([]);
    await world.pass(250);
    expect(world.clock.now() - sentAt).toBe(ENDS_AT);
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'lost' }]);
  });

  it('ends the attempts of the gateway that is silent, and no others', async () => {
    const world = await worldWith('x');
    world.b.own({ 2: 1 });
    world.assign(world.b, 2, 1, attempt('y'));
    world.a.end.close();
    world.a.isAway = true;
    await world.pass(LEASE_MS);
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'lost' }]);
  });

  it('is not extended by a gateway that answers, and does not own the partition any more', async () => {
    const world = await worldWith('x');
    world.a.own({ 2: 1 });
    world.assign(world.a, 2, 1, attempt('y'));
    const end = world.a.end;
    end.answersBeats = false;
    const answer = (): void => end.say({ kind: 'beaten', n: end.take('beat').at(-1)!.n, owned: [2] });
    for (let ms = 0; ms < 2 * LEASE_MS; ms += LEASE_MS / 3) {
      await world.pass(LEASE_MS / 3, 1_000);
      answer();
    }
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'lost' }]);
  });

  it('ends nothing when the gateway is back in time', async () => {
    const world = await worldWith('x');
    world.a.end.close();
    await world.pass(10_000);
    world.a.welcome({ 1: 1 });
    await world.pass(3 * LEASE_MS);
    expect(world.session.cancelled).toEqual([]);
  });

  it('is not extended by a session in which the attempt has not been claimed', async () => {
    const world = await worldWith('x');
    world.a.end.close();
    await world.pass(1_000);
    world.a.welcome();
    await world.pass(LEASE_MS);
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'lost' }]);
  });

  it('is that of a new owner once that has the claim', async () => {
    const world = await worldWith('x');
    world.a.end.close();
    world.a.isAway = true;
    await world.pass(5_000);
    world.b.own({ 1: 2 });
    await world.pass(3 * LEASE_MS);
    expect(world.session.cancelled).toEqual([]);
    expect(world.session.leases.get(idOf('x'))).toBe('b#1');
  });

  it('is that of the former owner while the claim has no answer', async () => {
    const world = await worldWith('x');
    world.a.end.close();
    world.a.isAway = true;
    world.b.end.answersBeats = false;
    world.b.own({ 1: 2 });
    await world.pass(ENDS_AT);
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'lost' }]);
  });

  it('is not that of a new owner that has lost the partition when it reads the claim', async () => {
    const world = await worldWith('x');
    const { end } = world.b;
    world.a.isAway = true;
    world.a.end.close();
    end.answersBeats = false;
    world.b.own({ 1: 2 });
    end.say({ kind: 'beaten', n: end.take('beat').at(-1)!.n, owned: [] });
    expect(world.session.leases.get(idOf('x'))).toBe('a#1');
    await world.pass(ENDS_AT);
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'lost' }]);
  });

  it('does not hold a task that goes on without contact', async () => {
    const world = await worldWith('x');
    world.assign(world.a, 1, 1, attempt('free', { onLostContact: 'continue' }));
    expect(world.session.leases.get(idOf('free'))).toBeUndefined();
    for (const line of world.lines) {
      line.isAway = true;
      line.end.close();
    }
    await world.pass(3 * LEASE_MS);
    expect(world.session.cancelled).toEqual([{ ids: [idOf('x')], as: 'lost' }]);
  });

  it('is told to the session, shorter than the gateway counts', async () => {
    const world = await worldWith('x');
    const before = world.session.terms.get('a#1')!;
    expect(before).toBe(world.clock.now() + LEASE_MS - 250);
    await world.pass(LEASE_MS / 3);
    expect(world.session.terms.get('a#1')).toBe(before + LEASE_MS / 3);
  });

  it('is over for what was on its way while the process stood still', async () => {
    const world = await worldWith('x');
    const stale = world.a.end;
    stale.answersBeats = false;
    world.standStill(2 * LEASE_MS);
    world.assign(world.a, 1, 1, attempt('stale'));
    expect(world.session.assigned).toEqual([idOf('x')]);
    expect(stale.isClosed).toBe(true);
  });

  it('ends the watches of a gateway that is gone', async () => {
    const world = await worldWith();
    world.a.end.say({ kind: 'watch', watches: [{ id: 'w' } as WatchAssignment] });
    world.a.isAway = true;
    world.a.end.close();
    await world.pass(LEASE_MS);
    await settled();
    expect([...world.session.watched]).toEqual([]);
  });
});
