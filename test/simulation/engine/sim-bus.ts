import { DEFAULT_PARTITIONS, partitionOfKey, TOPICS } from '@rondo/contracts';
import type { BusMessage, ConsumeOptions, Consumer, MessageBus } from '@rondo/ports';
import { BusMember } from './bus-member.ts';
import { GroupCoordinator } from './bus-group.ts';
import type { Dice } from './dice.ts';
import type { Machine } from './machine.ts';
import { kindOfMessage } from './message-kind.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { MessageFault, Weather } from './weather.ts';

export interface BusTiming {
  /** A member that says nothing for so long has lost its partitions. */
  readonly sessionMs: number;
  readonly commitMs: number;
}

export interface Stored {
  readonly key: string;
  /** JSON. */
  readonly value: string;
}

/** A partition of a topic: its messages, and whoever waits for the next one. */
export interface Log {
  readonly messages: Stored[];
  readonly waiting: Set<() => void>;
}

/** A broker with the rules of Kafka, and a client of it for each process. */
export class SimBus {
  readonly time: VirtualTime;
  readonly dice: Dice;
  readonly weather: Weather;
  readonly timing: BusTiming;
  readonly partitions: number;
  /** In the memory of the one process: it delivers once and at once, and ends with the process. */
  readonly isEmbedded: boolean;
  /** No answer to anybody until then. */
  awayUntil = 0;
  /** Sessions of members so far. */
  memberships = 0;
  private readonly topics = new Map<string, readonly Log[]>();
  private readonly groups = new Map<string, GroupCoordinator>();

  constructor(
    time: VirtualTime,
    dice: Dice,
    weather: Weather,
    timing: BusTiming,
    isEmbedded = false,
    partitions = DEFAULT_PARTITIONS,
  ) {
    this.time = time;
    this.dice = dice.fork('bus');
    this.weather = weather;
    this.timing = timing;
    this.partitions = partitions;
    this.isEmbedded = isEmbedded;
  }

  strikes(fault: MessageFault, kind: string, who: string): boolean {
    return !this.isEmbedded && this.weather.strikes(fault, kind, who);
  }

  /** Of an embedded one: its process has ended. Those outside still wait for answers. */
  forget(): void {
    for (const topic of this.topics.keys()) if (topic !== TOPICS.commandAnswers) this.topics.delete(topic);
    for (const name of this.groups.keys()) if (!name.endsWith(TOPICS.commandAnswers)) this.groups.delete(name);
  }

  /** Until a request that is sent now arrives: a broker that is away is waited for. */
  delay(): number {
    if (this.isEmbedded) return 0;
    return Math.max(0, this.awayUntil - this.time.now) + this.dice.delay(3, 40);
  }

  logs(topic: string): readonly Log[] {
    let logs = this.topics.get(topic);
    if (logs === undefined) {
      logs = Array.from({ length: this.partitions }, () => ({ messages: [], waiting: new Set<() => void>() }));
      this.topics.set(topic, logs);
    }
    return logs;
  }

  group(topic: string, group: string): GroupCoordinator {
    const name = `${group}.${topic}`;
    let coordinator = this.groups.get(name);
    if (coordinator === undefined) {
      coordinator = new GroupCoordinator(this, name);
      this.groups.set(name, coordinator);
    }
    return coordinator;
  }

  write(topic: string, partition: number, messages: readonly Stored[]): void {
    const log = this.logs(topic)[partition]!;
    for (const message of messages) log.messages.push(message);
    const waiting = [...log.waiting];
    log.waiting.clear();
    for (const wake of waiting) wake();
  }

  client(machine: Machine): MessageBus {
    return new Client(this, machine);
  }
}

class Client implements MessageBus {
  private readonly bus: SimBus;
  private readonly machine: Machine;
  private readonly members = new Set<BusMember>();
  /** Messages to one partition arrive in the order in which they were sent. */
  private readonly lastArrival = new Map<string, number>();
  private closed = false;

  constructor(bus: SimBus, machine: Machine) {
    this.bus = bus;
    this.machine = machine;
  }

  partitionOf(_topic: string, key: string): number {
    return partitionOfKey(key, this.bus.partitions);
  }

  async publish<T>(topic: string, messages: readonly BusMessage<T>[]): Promise<void> {
    if (this.closed) throw new Error(`the bus is closed: nothing can be published to '${topic}'`);
    if (messages.length === 0) return;
    const byPartition = new Map<number, Stored[]>();
    for (const { key, value } of messages) {
      const partition = this.partitionOf(topic, key);
      const list = byPartition.get(partition) ?? [];
      byPartition.set(partition, list);
      list.push({ key, value: JSON.stringify(value) });
    }
    await Promise.all(Array.from(byPartition, ([partition, list]) => this.send(topic, partition, list)));
  }

  /** Resolves when the broker has answered. What a process has sent arrives although it dies; what it was to send again does not. */
  private send(topic: string, partition: number, messages: readonly Stored[]): Promise<void> {
    const { bus, machine } = this;
    const { time, weather, dice } = bus;
    const kind = kindOfMessage(topic, messages[0]!.value);
    const place = `${topic}:${partition}`;
    const isDelayed = bus.strikes('publish delayed', kind, machine.name);
    const extra = isDelayed ? dice.between(200, 8_000) : 0;
    const arrival = Math.max(time.now + bus.delay() + extra, this.lastArrival.get(place) ?? 0);
    this.lastArrival.set(place, arrival);
    return new Promise((resolve) => {
      time.after(arrival - time.now, () => {
        // Sent again and again until the broker answered: by a process that lives.
        if (machine.isDead && isDelayed) return weather.recorder.fault('publish lost in a crash', kind, machine.name);
        bus.write(topic, partition, messages);
        for (const { value } of messages)
          weather.recorder.note(machine.name, `publish ${place} ${value.slice(0, 4_000)}`);
        if (bus.strikes('publish repeated', kind, machine.name))
          time.after(dice.between(0, 20_000), () => bus.write(topic, partition, messages));
        time.after(bus.delay(), () => machine.enter(resolve));
      });
    });
  }

  async consume<T>(options: ConsumeOptions<T>): Promise<Consumer> {
    if (this.closed) throw new Error(`the bus is closed: '${options.topic}' cannot be consumed`);
    const member = new BusMember(this.bus, this.machine, options as ConsumeOptions<unknown>);
    this.members.add(member);
    await member.start();
    return {
      close: () => {
        this.members.delete(member);
        return member.close();
      },
      isOwner: (partition) => member.isOwner(partition),
    };
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(Array.from(this.members, (member) => member.close()));
  }
}
