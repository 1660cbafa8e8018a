import { createHash } from 'node:crypto';
import type { DagVersion } from '@rondo/domain';
import type { CommandMessage } from '@rondo/contracts';
import { TOPICS } from '@rondo/contracts';
import type { BlobStore } from '@rondo/ports';
import { Auditor } from './checks/auditor.ts';
import { checkChain, checkEvents, checkMemory, endStateOf, type EndState } from './checks/end.ts';
import { Dice } from './engine/dice.ts';
import { Machine } from './engine/machine.ts';
import { unleash } from './engine/nemesis.ts';
import { Recorder } from './engine/recorder.ts';
import { SimBus } from './engine/sim-bus.ts';
import { SimStore } from './engine/sim-store.ts';
import type { Supervisor } from './engine/supervisor.ts';
import { SimNetwork } from './engine/network.ts';
import { VirtualTime } from './engine/virtual-time.ts';
import { Weather } from './engine/weather.ts';
import { processesOf } from './installation.ts';
import { api, type Plant, type Surroundings } from './nodes.ts';
import { workloadOf, type Action, type Workload } from './workload.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** False: nothing goes wrong. */
  readonly withFaults: boolean;
  readonly plant?: Plant;
  readonly keepsTrace?: boolean;
}

export interface SimulationResult {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Of everything that happened, in order. */
  readonly digest: string;
  readonly trace: readonly string[];
  readonly hits: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly endState: EndState;
  readonly isConfluent: boolean;
  readonly figures: {
    readonly events: number;
    readonly bodies: number;
    readonly virtualMs: number;
    readonly steps: number;
  };
}

/** Everything ends so long after the last fault, or something is stuck. */
const PATIENCE_MS = 20 * 60_000;
/** Of each topic: few, so that they change hands often. */
const PARTITIONS = 8;
const LATEST_ACTION_MS = 90_000;
/** Every message has arrived so long after the last fault. */
const SETTLING_MS = 60_000;

/** One life of an installation, told by its seed. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  return new Simulation(options).run();
}

class Simulation {
  private readonly options: SimulationOptions;
  private readonly time = new VirtualTime();
  private readonly dice: Dice;
  private readonly recorder: Recorder;
  private readonly workload: Workload;
  private readonly auditor: Auditor;
  private readonly around: Surroundings;
  private readonly supervisors: readonly Supervisor[];
  private readonly calmAt: number;
  private toDo = 0;

  constructor(options: SimulationOptions) {
    const { seed, withFaults, plant = {}, keepsTrace = false } = options;
    this.options = options;
    this.dice = new Dice(seed);
    const { time, dice } = this;
    this.recorder = new Recorder(time, keepsTrace);
    this.calmAt = withFaults ? dice.fork('calm').between(60_000, 150_000) : 0;
    const weather = new Weather(time, dice, this.recorder, this.calmAt);
    this.workload = workloadOf(dice);
    const { dags, pools, script } = this.workload;
    this.auditor = new Auditor(this.recorder, dags, pools);
    const isStandalone = dice.fork('kind').chance(0.15);
    this.around = {
      store: new SimStore(time, dice, weather, isStandalone),
      bus: new SimBus(time, dice, weather, { sessionMs: 6_000, commitMs: 200 }, isStandalone, PARTITIONS),
      network: new SimNetwork(time, dice, weather),
      blobs: memoryBlobs(),
      ...{ dice, plant },
      onStated: (scheduler, message) => {
        this.auditor.follow(this.around.store.history.events);
        this.auditor.stated(scheduler, message);
      },
    };
    this.supervisors = processesOf(this.around, script, this.auditor);
  }

  async run(): Promise<SimulationResult> {
    const { time, recorder, around, supervisors, dice, calmAt, auditor } = this;
    const { history } = around.store;
    const { runs, actions } = this.workload;
    const sensorEvents = actions.filter(({ kind }) => kind === 'event').length;
    await this.setPools();
    for (const each of supervisors) each.start();
    void this.act().catch((error: unknown) => time.fail(error));
    const { store, bus, network } = around;
    unleash({ time, recorder, store, bus, network, supervisors }, dice, calmAt);
    const isDone = (): boolean => {
      auditor.follow(history.events);
      return time.now > calmAt && this.toDo === 0 && auditor.isAtRest(runs.length, sensorEvents);
    };
    const hasEnded = await time.run(isDone, calmAt + PATIENCE_MS);
    if (!hasEnded)
      recorder.violation(
        'liveness',
        `not ended ${PATIENCE_MS / 60_000} minutes after the last fault: ${auditor.unfinished()}`,
      );
    for (const { process } of supervisors)
      if (process?.scheduler !== undefined) checkMemory(process.scheduler, history.events, recorder);
    checkChain(history.events, recorder);
    checkEvents(history.events, this.workload, recorder);
    for (const each of supervisors) each.machine?.kill();
    return {
      seed: this.options.seed,
      violations: recorder.violations,
      digest: recorder.digest(),
      trace: recorder.lines,
      hits: recorder.hits,
      endState: endStateOf(history.events),
      isConfluent: this.workload.isConfluent,
      figures: { events: history.events.length, bodies: auditor.bodies, virtualMs: time.now, steps: time.fired },
    };
  }

  private async setPools(): Promise<void> {
    for (const pool of this.workload.pools) {
      const event = { id: this.dice.fork(pool.name).uuid(), type: 'PoolSet', data: JSON.stringify(pool), meta: '{}' };
      await this.around.store.history.append([{ stream: `pool-${pool.name}`, expected: 'noStream', events: [event] }]);
    }
  }

  /** Everything that people and other systems do. */
  private async act(): Promise<void> {
    const { time, dice, around, workload } = this;
    this.toDo = workload.actions.length + workload.dags.length;
    const machine = new Machine('api', time, dice.fork('api'));
    const { commands, bus } = await api(around, machine);
    const send = async (dagId: string, command: CommandMessage['command']): Promise<void> => {
      const message = { dagId, actor: { kind: 'user', name: 'ada' }, command, commandId: machine.ids.uuid() } as const;
      if (around.bus.weather.strikes('command repeated', command.type, 'api'))
        machine.after(
          dice.between(0, 5_000),
          () => void bus.publish(TOPICS.schedulerInbox, [{ key: dagId, value: { ...message, kind: 'command' } }]),
        );
      for (;;) {
        const answer = await commands.send(message, 20_000);
        this.recorder.note('api', `${command.type} ${dagId}: ${JSON.stringify(answer).slice(0, 160)}`);
        if (answer.ok || answer.code !== 'unavailable') return;
      }
    };
    for (const definition of workload.dags) {
      const bundle = { hash: 'b', file: definition.file };
      const bytes = new TextEncoder().encode(JSON.stringify({ definition, bundle } satisfies DagVersion));
      const version = await around.blobs.put(bytes);
      await send(definition.dagId, { type: 'publishVersion', version, definition, bundle });
      this.toDo--;
    }
    for (const action of workload.actions)
      machine.after(this.timeOf(action) - time.now, () => void this.perform(action, machine, send, bus));
  }

  private timeOf(action: Action): number {
    const isLast = action.kind === 'command' && action.isLast === true;
    return isLast ? Math.max(this.calmAt, LATEST_ACTION_MS) + SETTLING_MS : action.at;
  }

  private async perform(
    action: Action,
    machine: Machine,
    send: (dagId: string, command: CommandMessage['command']) => Promise<void>,
    bus: Awaited<ReturnType<typeof api>>['bus'],
  ): Promise<void> {
    if (action.kind === 'command') await send(action.dagId, action.command);
    else {
      const value = { specversion: '1.0', id: action.id, source: 'simulation', type: action.type, data: { n: 1 } };
      do {
        await bus.publish(TOPICS.sensorEvents, [{ key: action.type, value }]);
        await machine.sleep(10_000);
        // Who sends an event to an embedded installation learns whether it was taken.
      } while (this.around.bus.isEmbedded && !this.auditor.hasEvent(action.id));
      if (this.around.bus.weather.strikes('event repeated', action.type, 'api')) {
        await machine.sleep(this.dice.between(0, 20_000));
        await bus.publish(TOPICS.sensorEvents, [{ key: action.type, value }]);
      }
    }
    this.toDo--;
  }
}

function memoryBlobs(): BlobStore {
  const blobs = new Map<string, Uint8Array>();
  return {
    put: (bytes) => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      blobs.set(hash, bytes);
      return Promise.resolve(hash);
    },
    get: (hash) => Promise.resolve(blobs.get(hash)),
  };
}
