import { BusCommands, Gateway, Scheduler, SensorEvents, sessionHost } from '@rondo/application';
import type { BlobStore, EventStore, MessageBus } from '@rondo/ports';
import type { Machine } from './engine/machine.ts';
import type { SimBus } from './engine/sim-bus.ts';
import type { SimStore } from './engine/sim-store.ts';
import type { WorkerHost } from './engine/worker-host.ts';

/** What every process of a simulated installation can reach. */
export interface Surroundings {
  readonly store: SimStore;
  readonly bus: SimBus;
  readonly blobs: BlobStore;
  /** Wraps what a process gets, for faults that are planted. Default: as it is. */
  readonly plant?: Plant;
}

/** Mistakes made from outside: what a process gets instead of the real thing. */
export interface Plant {
  readonly name: string;
  readonly store?: (store: EventStore) => EventStore;
  readonly bus?: (bus: MessageBus) => MessageBus;
}

/** A running process. */
export interface Process {
  readonly machine: Machine;
  readonly scheduler?: Scheduler;
}

/** Gives a process to a machine; rejects when it cannot start, as a process would exit. */
export type Start = (machine: Machine) => Promise<Process>;

function reach(around: Surroundings, machine: Machine): { readonly store: EventStore; readonly bus: MessageBus } {
  const store = around.store.client(machine);
  const bus = around.bus.client(machine);
  return { store: around.plant?.store?.(store) ?? store, bus: around.plant?.bus?.(bus) ?? bus };
}

/** Scheduler, gateway and worker in one process, as the standalone runs them. */
export function standalone(around: Surroundings, host: WorkerHost): Start {
  return async (machine) => {
    machine.onDeath(() => around.bus.forget());
    const { store, bus } = reach(around, machine);
    const { clock, ids } = machine;
    const note = (text: string): void => around.bus.weather.recorder.note(machine.name, text);
    const gateway = new Gateway({ store, bus, clock, host: sessionHost(host.session(machine), { executor: 'local' }) });
    const scheduler = new Scheduler({
      ...{ store, bus, clock, ids, blobs: around.blobs },
      onDurable: (reports) => gateway.durable(reports),
      onProblem: ({ kind, dagId, message }) => note(`problem ${kind} ${dagId}: ${message}`),
    });
    const events = new SensorEvents({ store, bus, clock });
    await gateway.start();
    await scheduler.start();
    await events.start();
    return { machine, scheduler };
  };
}

/** Sends commands: the API. */
export async function api(
  around: Surroundings,
  machine: Machine,
): Promise<{ readonly commands: BusCommands; readonly bus: MessageBus }> {
  const bus = around.bus.client(machine);
  const commands = new BusCommands(bus, machine.clock, machine.ids);
  await commands.start();
  return { commands, bus };
}
