import {
  AttemptCalls,
  BusCommands,
  Gateway,
  Scheduler,
  SensorEvents,
  sessionHost,
  WorkerAgent,
} from '@rondo/application';
import { TOPICS, type ReadyMessage } from '@rondo/contracts';
import type { BlobStore, Clock, EventStore, GatewayFrame, GatewayLine, MessageBus } from '@rondo/ports';
import type { Dice } from './engine/dice.ts';
import type { Machine } from './engine/machine.ts';
import type { SimNetwork } from './engine/network.ts';
import type { SimBus } from './engine/sim-bus.ts';
import type { SimStore } from './engine/sim-store.ts';
import type { WorkerHost } from './engine/worker-host.ts';

/** What every process of a simulated installation can reach. */
export interface Surroundings {
  readonly store: SimStore;
  readonly bus: SimBus;
  readonly network: SimNetwork;
  readonly blobs: BlobStore;
  readonly dice: Dice;
  readonly plant: Plant;
  /** Sees what schedulers state when they do. */
  readonly onStated: (scheduler: string, message: ReadyMessage) => void;
}

/** Mistakes made from outside: what a process gets instead of the real thing. Default: the real thing. */
export interface Plant {
  readonly store?: (store: EventStore) => EventStore;
  readonly bus?: (bus: MessageBus) => MessageBus;
  readonly clock?: (clock: Clock) => Clock;
  readonly gateway?: (gateway: Gateway) => void;
  readonly scheduler?: (scheduler: Scheduler) => void;
  /** For each worker's process: what it reads of what gateways have sent. */
  readonly reader?: () => (frame: GatewayFrame) => GatewayFrame;
}

/** A running process. */
export interface Process {
  readonly machine: Machine;
  readonly scheduler?: Scheduler;
}

/** Gives a process to a machine; rejects when it cannot start, as a process would exit. */
export type Start = (machine: Machine) => Promise<Process>;

export const LEASE_MS = 12_000;
const RELEASE = 'simulated';

/** What a process has of its surroundings. */
function reach({ store, bus, plant, blobs }: Surroundings, machine: Machine) {
  const { recorder } = bus.weather;
  const mine = { store: store.client(machine), bus: bus.client(machine), clock: machine.clock };
  return {
    store: plant.store?.(mine.store) ?? mine.store,
    bus: plant.bus?.(mine.bus) ?? mine.bus,
    clock: plant.clock?.(mine.clock) ?? mine.clock,
    ids: machine.ids,
    blobs,
    note: (text: string): void => recorder.note(machine.name, text),
    monotonic: (): number => machine.time.now,
  };
}

/** Scheduler, gateway and worker in one process, as the standalone runs them. */
export function standalone(around: Surroundings, host: WorkerHost): Start {
  return async (machine) => {
    machine.onDeath(() => around.bus.forget());
    const { note, monotonic: _, ...ports } = reach(around, machine);
    const gateway = new Gateway({ ...ports, host: sessionHost(host.session(machine), { executor: 'local' }) });
    around.plant.gateway?.(gateway);
    const scheduler = new Scheduler({
      ...ports,
      onDurable: (reports) => gateway.durable(reports),
      onProblem: ({ kind, dagId, message }) => note(`problem ${kind} ${dagId}: ${message}`),
    });
    const events = new SensorEvents(ports);
    await gateway.start();
    await scheduler.start();
    await events.start();
    return { machine, scheduler };
  };
}

/** One of several schedulers, which takes events from outside as well. */
export function schedulerService(around: Surroundings): Start {
  return async (machine) => {
    const { note, monotonic: _, ...reached } = reach(around, machine);
    const ports = { ...reached, bus: tellingOf(reached.bus, (message) => around.onStated(machine.name, message)) };
    const scheduler = new Scheduler({
      ...ports,
      cluster: { scheduler: machine.name },
      onProblem: ({ kind, dagId, message }) => note(`problem ${kind} ${dagId}: ${message}`),
    });
    around.plant.scheduler?.(scheduler);
    const events = new SensorEvents(ports);
    await scheduler.start();
    await events.start();
    return { machine, scheduler };
  };
}

function tellingOf(bus: MessageBus, tell: (message: ReadyMessage) => void): MessageBus {
  return {
    publish: (topic, messages) => {
      if (topic === TOPICS.tasksReady) for (const { value } of messages) tell(value as ReadyMessage);
      return bus.publish(topic, messages);
    },
    consume: (options) => bus.consume(options),
    partitionOf: (topic, key) => bus.partitionOf(topic, key),
    close: () => bus.close(),
  };
}

export function gatewayService(around: Surroundings, address: string): Start {
  return async (machine) => {
    const { note, monotonic, ...ports } = reach(around, machine);
    const gateway = new Gateway({
      ...ports,
      host: around.network.host(machine, address),
      cluster: {
        gateway: machine.name,
        release: RELEASE,
        ids: machine.ids,
        monotonic,
        leaseMs: LEASE_MS,
        shards: around.bus.partitions,
        onProblem: (message) => note(`problem ${message}`),
      },
    });
    around.plant.gateway?.(gateway);
    await gateway.start();
    return { machine };
  };
}

export function workerService(around: Surroundings, host: WorkerHost, addresses: readonly string[]): Start {
  return async (machine) => {
    const { note, monotonic, clock } = reach(around, machine);
    const dice = around.dice.fork(`worker ${machine.name}`);
    const read = around.plant.reader?.();
    const agent = new WorkerAgent({
      ...{ clock, monotonic, release: RELEASE },
      session: host.session(machine),
      lines: addresses.map((address) => readingWith(read, around.network.line(machine, address))),
      calls: new AttemptCalls(),
      boot: machine.name,
      random: () => dice.between(0, 999) / 1_000,
      onNotice: (text) => note(`notice ${text}`),
    });
    await agent.start();
    return { machine };
  };
}

function readingWith(read: ReturnType<NonNullable<Plant['reader']>> | undefined, line: GatewayLine): GatewayLine {
  if (read === undefined) return line;
  return {
    ...line,
    connect: async () => {
      const channel = await line.connect();
      return {
        peer: channel.peer,
        send: (out) => channel.send(out),
        close: (reason) => channel.close(reason),
        listen: ({ onFrame, onClose }) => channel.listen({ onFrame: (frame) => onFrame(read(frame)), onClose }),
      };
    },
  };
}

/** Sends commands: the API. */
export async function api(around: Surroundings, machine: Machine) {
  const bus = around.bus.client(machine);
  const commands = new BusCommands(bus, machine.clock, machine.ids);
  await commands.start();
  return { commands, bus };
}
