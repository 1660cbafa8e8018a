import { TOPICS } from '@rondo/contracts';
import type { Consumer, MessageBus, ParseRequest, ParseResult } from '@rondo/ports';
import type { ParseAnswer, ParseWanted } from './bus-parser.ts';

/** A request that is asked again while it is open may be with a worker that never answers: it gets one more. */
const MOST_OPEN = 2;

/** Takes files that are to be loaded from the bus and has a gateway's workers load them. Its state is soft: who asks asks again. */
export class ParseDesk {
  private readonly bus: MessageBus;
  private readonly parse: (request: ParseRequest) => Promise<ParseResult>;
  private readonly onFailure: (error: unknown) => void;
  private readonly open = new Map<string, number>();
  private consumer: Consumer | undefined;

  /** `onFailure`: told of what could not be answered. */
  constructor(
    bus: MessageBus,
    parse: (request: ParseRequest) => Promise<ParseResult>,
    onFailure: (error: unknown) => void,
  ) {
    this.bus = bus;
    this.parse = parse;
    this.onFailure = onFailure;
  }

  async start(): Promise<void> {
    this.consumer = await this.bus.consume<ParseWanted>({
      topic: TOPICS.parseWanted,
      group: 'rondo-gateway',
      // Nobody waits: one file that takes long holds up no other.
      onBatch: (messages) => {
        for (const { value } of messages) this.onWanted(value);
      },
    });
  }

  async stop(): Promise<void> {
    await this.consumer?.close();
  }

  private onWanted({ request }: ParseWanted): void {
    const open = this.open.get(request.id) ?? 0;
    if (open >= MOST_OPEN) return;
    this.open.set(request.id, open + 1);
    void this.answer(request).catch(this.onFailure);
  }

  private async answer(request: ParseRequest): Promise<void> {
    try {
      const answer: ParseAnswer = { result: await this.parse(request) };
      await this.bus.publish(TOPICS.parseAnswers, [{ key: request.id, value: answer }]);
    } finally {
      this.open.delete(request.id);
    }
  }
}
