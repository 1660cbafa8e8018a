import { TOPICS, type CommandAnswer, type CommandBus, type CommandMessage } from '@rondo/contracts';
import type { Clock, Consumer, Ids, MessageBus } from '@rondo/ports';

const DEFAULT_TIMEOUT_MS = 30_000;

/** Sends commands to the owners of DAGs and hands each its answer, by command id. */
export class BusCommands implements CommandBus {
  private readonly bus: MessageBus;
  private readonly clock: Clock;
  private readonly ids: Ids;
  private readonly waiting = new Map<string, (answer: CommandAnswer) => void>();
  private consumer: Consumer | undefined;

  constructor(bus: MessageBus, clock: Clock, ids: Ids) {
    this.bus = bus;
    this.clock = clock;
    this.ids = ids;
  }

  async start(): Promise<void> {
    this.consumer = await this.bus.consume<{ readonly commandId: string; readonly answer: CommandAnswer }>({
      topic: TOPICS.commandAnswers,
      group: `rondo-answers-${this.ids.uuid()}`,
      from: 'now',
      onBatch: (messages) => {
        for (const { value } of messages) {
          this.waiting.get(value.commandId)?.(value.answer);
          this.waiting.delete(value.commandId);
        }
      },
    });
  }

  /** The answer, or `unavailable` when none came in time (default 30 s): the command may still take effect. */
  async send(
    message: Omit<CommandMessage, 'kind' | 'commandId'> & { readonly commandId?: string },
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<CommandAnswer> {
    const commandId = message.commandId ?? this.ids.uuid();
    const answer = new Promise<CommandAnswer>((resolve) => {
      const cancel = this.clock.at(this.clock.now() + timeoutMs, () => {
        this.waiting.delete(commandId);
        resolve({
          ok: false,
          code: 'unavailable',
          message: `no scheduler answered within ${timeoutMs} ms; the command may still take effect`,
        });
      });
      this.waiting.set(commandId, (got) => {
        cancel();
        resolve(got);
      });
    });
    await this.bus.publish(TOPICS.schedulerInbox, [
      { key: message.dagId, value: { ...message, kind: 'command', commandId } satisfies CommandMessage },
    ]);
    return answer;
  }

  async stop(): Promise<void> {
    await this.consumer?.close();
  }
}
