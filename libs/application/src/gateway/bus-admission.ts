import type { Demand, PoolLoad } from '@rondo/domain';
import {
  TOPICS,
  type AdmissionAnswer,
  type AdmissionQueries,
  type AdmissionQuestion,
  type AdmissionReply,
  type ReadyMessage,
} from '@rondo/contracts';
import type { Clock, Consumer, Ids, MessageBus } from '@rondo/ports';

const DEFAULT_TIMEOUT_MS = 2_000;
const NOTHING: PoolLoad = { occupied: 0, deferred: 0, queued: 0 };

type Question = AdmissionQuestion extends infer Q ? (Q extends unknown ? Omit<Q, 'id'> : never) : never;

/** Asks the gateways that own the pools, through the bus. One that does not answer in time is told of as such. */
export class BusAdmission implements AdmissionQueries {
  private readonly bus: MessageBus;
  private readonly clock: Clock;
  private readonly ids: Ids;
  private readonly timeoutMs: number;
  private readonly waiting = new Map<string, (reply: AdmissionReply) => void>();
  private consumer: Consumer | undefined;

  /** `timeoutMs`: default 2,000. */
  constructor(bus: MessageBus, clock: Clock, ids: Ids, timeoutMs = DEFAULT_TIMEOUT_MS) {
    this.bus = bus;
    this.clock = clock;
    this.ids = ids;
    this.timeoutMs = timeoutMs;
  }

  async start(): Promise<void> {
    this.consumer = await this.bus.consume<Partial<AdmissionReply>>({
      topic: TOPICS.commandAnswers,
      group: `rondo-admission-${this.ids.uuid()}`,
      from: 'now',
      onBatch: (messages) => {
        for (const { value } of messages)
          if (value.questionId !== undefined) this.waiting.get(value.questionId)?.(value as AdmissionReply);
      },
    });
  }

  async stop(): Promise<void> {
    await this.consumer?.close();
  }

  async admissionOf(attempt: string, demand: Demand): Promise<AdmissionAnswer> {
    const reply = await this.ask(demand.pool, { about: 'attempt', attempt, demand });
    if (reply?.attempt !== undefined) return reply.attempt;
    const reason = `the gateway of pool '${demand.pool}' has not answered within ${this.timeoutMs} ms`;
    return { stand: 'unknown', reasons: [{ rule: 'gateway', passed: false, reason }] };
  }

  /** Nothing is held of a pool whose gateway does not answer: its state is gone with it. */
  async poolLoads(names: readonly string[]): Promise<readonly PoolLoad[]> {
    const groups = Map.groupBy(names, (name) => this.bus.partitionOf(TOPICS.tasksReady, name));
    const loads = new Map<string, PoolLoad>();
    await Promise.all(
      Array.from(groups.values(), async (own) => {
        const reply = await this.ask(own[0]!, { about: 'pools', names: own });
        own.forEach((name, i) => loads.set(name, reply?.pools?.[i] ?? NOTHING));
      }),
    );
    return names.map((name) => loads.get(name) ?? NOTHING);
  }

  private async ask(pool: string, question: Question): Promise<AdmissionReply | undefined> {
    const id = this.ids.uuid();
    const { promise, resolve } = Promise.withResolvers<AdmissionReply | undefined>();
    const cancel = this.clock.at(this.clock.now() + this.timeoutMs, () => resolve(undefined));
    this.waiting.set(id, resolve);
    const value: ReadyMessage = { kind: 'ask', question: { ...question, id } };
    await this.bus.publish(TOPICS.tasksReady, [{ key: pool, value }]);
    const reply = await promise;
    cancel();
    this.waiting.delete(id);
    return reply;
  }
}
