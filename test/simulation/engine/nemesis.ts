import type { Dice } from './dice.ts';
import type { SimNetwork } from './network.ts';
import type { Recorder } from './recorder.ts';
import type { SimBus } from './sim-bus.ts';
import type { SimStore } from './sim-store.ts';
import type { Supervisor } from './supervisor.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface Victims {
  readonly time: VirtualTime;
  readonly recorder: Recorder;
  readonly store: SimStore;
  readonly bus: SimBus;
  readonly network: SimNetwork;
  readonly supervisors: readonly Supervisor[];
}

type Blow = (victims: Victims, dice: Dice) => void;

/** What happens to whole processes and services, by name. */
const BLOWS: Readonly<Record<string, Blow>> = {
  crash: ({ supervisors, recorder }, dice) => {
    const victim = dice.pick(supervisors);
    recorder.fault('process killed', victim.name.replace(/\d+$/, ''), victim.name);
    victim.crash(dice.pick([dice.between(50, 500), dice.between(500, 5_000), dice.between(5_000, 30_000)]));
  },
  stop: ({ supervisors, recorder }, dice) => {
    const victim = dice.pick(supervisors);
    const ms = dice.pick([dice.between(100, 2_000), dice.between(2_000, 15_000), dice.between(15_000, 60_000)]);
    recorder.fault('process stopped', victim.name.replace(/\d+$/, ''), victim.name, `for ${ms} ms`);
    victim.stop(ms);
  },
  cut: ({ supervisors, network, recorder }, dice) => {
    const workers = supervisors.filter(({ name }) => name.startsWith('worker'));
    const gateways = supervisors.filter(({ name }) => name.startsWith('gateway'));
    if (workers.length === 0 || gateways.length === 0) return;
    const ms = dice.pick([dice.between(500, 5_000), dice.between(5_000, 40_000)]);
    const worker = dice.pick(workers);
    // One gateway, or all of them.
    const lost = dice.chance(0.5) ? gateways : [dice.pick(gateways)];
    for (const { name } of lost) {
      recorder.fault('network cut', 'worker-gateway', worker.name, `from ${name} for ${ms} ms`);
      network.cut(worker.name, name, ms);
    }
  },
  storeAway: ({ store, time, recorder }, dice) => {
    const ms = dice.between(500, 20_000);
    recorder.fault('service away', 'store', 'store', `for ${ms} ms`);
    store.awayUntil = Math.max(store.awayUntil, time.now + ms);
  },
  busAway: ({ bus, time, recorder }, dice) => {
    const ms = dice.between(500, 20_000);
    recorder.fault('service away', 'bus', 'bus', `for ${ms} ms`);
    bus.awayUntil = Math.max(bus.awayUntil, time.now + ms);
  },
};

/** A scheduler is killed when it has sent an append, which is written while its successor reads, or later. */
function crashWriting({ supervisors, recorder, store }: Victims, dice: Dice): void {
  const schedulers = supervisors.filter(({ name }) => name.startsWith('scheduler'));
  if (schedulers.length === 0) return;
  const victim = dice.pick(schedulers);
  const { machine } = victim;
  if (machine?.state !== 'running') return;
  const [afterMs, downMs] = [dice.between(50, 12_000), dice.between(50, 5_000)];
  const kill = (): void => {
    if (victim.machine !== machine) return;
    recorder.fault('process killed', 'scheduler writing', victim.name);
    victim.crash(downMs);
  };
  store.doomed = { machine, afterMs, kill };
}

/** Strikes now and then until it is calm, with some of the blows: which and how often is the seed's. */
export function unleash(victims: Victims, dice: Dice, calmAt: number): void {
  const throws = dice.fork('nemesis');
  const names = Object.keys(BLOWS).filter(() => throws.chance(0.6));
  if (names.length > 0) keepStriking(victims, throws, calmAt, () => BLOWS[throws.pick(names)]!(victims, throws));
  const others = dice.fork('killed while writing');
  if (others.chance(0.3)) keepStriking(victims, others, calmAt, () => crashWriting(victims, others));
}

function keepStriking({ time }: Victims, throws: Dice, calmAt: number, blow: () => void): void {
  const pauseMs = throws.pick([3_000, 8_000, 20_000]);
  const strike = (): void => {
    if (time.now >= calmAt) return;
    blow();
    time.after(throws.between(pauseMs / 4, pauseMs * 2), strike);
  };
  time.after(throws.between(1_000, 10_000), strike);
}
