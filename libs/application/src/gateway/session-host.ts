import { assertNever } from '@rondo/kernel';
import type { AgentFrame, GatewayFrame, SessionHost, WorkerChannel, WorkerHello, WorkerSession } from '@rondo/ports';

export interface SessionHostOptions {
  /** `sequential`: one attempt at a time; `local`: as many as the worker has slots. */
  readonly executor: 'sequential' | 'local';
  /** Most attempts at once over all pools. Default: the worker's slots. */
  readonly parallelism?: number;
  /** Of this process. Default: none. */
  readonly boot?: string;
  readonly release?: string;
}

/**
 * The one worker of this process as a gateway's only session. Frames are handed on as they are: nothing is copied, and no lease
 * is needed between two that end together.
 */
export function sessionHost(session: WorkerSession, options: SessionHostOptions): SessionHost {
  return {
    async start(onSession) {
      const line = new SessionChannel(session);
      onSession(line);
      await session.start({
        onHello: (hello) => greet(line, hello, options),
        onReports: (reports) => line.onFrame({ kind: 'reports', reports }),
      });
    },
    stop: (graceMs = 0) => session.stop(graceMs),
  };
}

function greet(line: SessionChannel, hello: WorkerHello, options: SessionHostOptions): void {
  const { executor, parallelism, boot = '', release = '' } = options;
  const { worker, slots, queues, interrupted, journalIntact } = hello;
  const most = executor === 'sequential' ? 1 : slots;
  const about = { worker, boot, release, slots, queues, labels: {}, executor, interrupted, journalIntact };
  line.onFrame({ kind: 'hello', hello: { ...about, draining: false } });
  line.onFrame({ kind: 'offer', slots: Math.min(most, parallelism ?? most) });
}

class SessionChannel implements WorkerChannel {
  readonly peer = 'this process';
  onFrame: (frame: AgentFrame) => void = () => undefined;
  private readonly session: WorkerSession;

  constructor(session: WorkerSession) {
    this.session = session;
  }

  listen({ onFrame }: Parameters<WorkerChannel['listen']>[0]): void {
    this.onFrame = onFrame;
  }

  close(): void {
    this.onFrame = () => undefined;
  }

  send(frame: GatewayFrame): void {
    const { session } = this;
    switch (frame.kind) {
      case 'assign':
        return session.assign(frame.assignments);
      case 'watch':
        return session.watch(frame.watches);
      case 'unwatch':
        return session.unwatch(frame.ids);
      case 'callbacks':
        return session.runCallbacks(frame.callbacks);
      case 'cancel':
        return session.cancel(frame.ids, frame.reason);
      case 'acknowledge':
        return session.acknowledge(frame.ids);
      case 'parse':
        return void session.parse(frame.request).then((result) => this.onFrame({ kind: 'parsed', result }));
      // Of one process: it has no lease, no other gateway, and serves the attempts itself.
      case 'welcome':
      case 'generations':
      case 'beaten':
      case 'answer':
      case 'demand':
      case 'drain':
        return;
      default:
        assertNever(frame, 'frame of a gateway');
    }
  }
}
