import type { OutsideLog, Script } from './engine/worker-host.ts';
import { WorkerHost } from './engine/worker-host.ts';
import { Supervisor } from './engine/supervisor.ts';
import { gatewayService, schedulerService, standalone, workerService, type Surroundings } from './nodes.ts';

/** The processes of an installation; all in one, or several of each. */
export function processesOf(around: Surroundings, script: Script, log: OutsideLog): readonly Supervisor[] {
  const { dice, store } = around;
  const { time, weather } = store;
  const supervise = (name: string, start: Supervisor['launch']): Supervisor =>
    new Supervisor(name, time, dice, weather.recorder, start);
  const hostOf = (name: string, slots: number): WorkerHost => new WorkerHost(name, slots, time, dice, script, log);
  if (around.bus.isEmbedded) return [supervise('standalone', standalone(around, hostOf('worker', 4)))];
  const throws = dice.fork('installation');
  const gateways = numbered('gateway', throws.between(1, 3));
  return [
    ...numbered('scheduler', throws.between(1, 3)).map((name) => supervise(name, schedulerService(around))),
    ...gateways.map((name) => supervise(name, gatewayService(around, name))),
    ...numbered('worker', throws.between(1, 4)).map((name) =>
      supervise(name, workerService(around, hostOf(name, throws.between(1, 4)), gateways)),
    ),
  ];
}

const numbered = (what: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${what}${n + 1}`);
