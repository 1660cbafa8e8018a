import { TOPICS, type SchedulerMessage } from '@rondo/contracts';
import type { MessageBus } from '@rondo/ports';
import type { RunEraser } from '../erasure/eraser.ts';
import type { WaitRouter } from '../waits/router.ts';
import type { Effects } from './effects.ts';

export interface OutboxOptions {
  readonly bus: MessageBus;
  readonly router: WaitRouter;
  readonly eraser: RunEraser | undefined;
}

/** What follows from what was appended, on its way: to gateways, to waits, to the scheduler itself, and to whoever asked. */
export class Outbox {
  private readonly options: OutboxOptions;
  private isClosed = false;

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  /** The scheduler tells itself nothing more. */
  close(): void {
    this.isClosed = true;
  }

  /** Resolves when all is told. When it rejects some of it may be. */
  async release(effects: Effects): Promise<void> {
    const { bus, router, eraser } = this.options;
    for (const change of effects.waits)
      if ('ended' in change) router.end(change.ended);
      else router.state(change);
    const answer = (): Promise<void> =>
      bus.publish(
        TOPICS.commandAnswers,
        effects.answers.map((a) => ({ key: a.commandId, value: a })),
      );
    // Called together they go out together.
    await Promise.all([
      bus.publish(
        TOPICS.tasksReady,
        effects.ready.map(({ pool, message }) => ({ key: pool, value: message })),
      ),
      bus.publish(
        TOPICS.timetablesWanted,
        effects.timetables.map((value) => ({ key: value.dagId, value })),
      ),
      this.inbox(effects.inbox),
      ...(effects.erasures.length === 0 ? [answer()] : []),
    ]);
    if (effects.erasures.length === 0) return;
    // Whoever is told that a run is erased finds it so.
    await eraser?.erase(effects.erasures);
    await answer();
  }

  /** To the schedulers themselves. */
  async inbox(messages: readonly SchedulerMessage[]): Promise<void> {
    if (!this.isClosed)
      await this.options.bus.publish(
        TOPICS.schedulerInbox,
        messages.map((value) => ({ key: value.dagId, value })),
      );
  }
}
