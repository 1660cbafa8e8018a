import type { AgentFrame, Channel, GatewayChannel, GatewayFrame, WorkerChannel } from '@rondo/ports';

/** A session within the process: frames arrive in a later microtask, in order, and are not copied. */
export function channelPair(worker: string, gateway: string): [GatewayChannel, WorkerChannel] {
  const mine = new End<GatewayFrame, AgentFrame>(gateway);
  const theirs = new End<AgentFrame, GatewayFrame>(worker);
  mine.other = theirs;
  theirs.other = mine;
  return [mine, theirs];
}

class End<In, Out> implements Channel<In, Out> {
  readonly peer: string;
  other: End<Out, In> | undefined;
  #events: Parameters<Channel<In, Out>['listen']>[0] | undefined;
  #arrived: In[] = [];
  #closed: string | undefined;
  #isTold = false;

  constructor(peer: string) {
    this.peer = peer;
  }

  send(frame: Out): void {
    if (this.#closed === undefined) this.other!.#arrive(frame);
  }

  close(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#arrived = [];
    this.#end(reason);
    this.other!.#end(reason);
  }

  listen(events: Parameters<Channel<In, Out>['listen']>[0]): void {
    this.#events = events;
    queueMicrotask(() => this.#dispatch());
  }

  #arrive(frame: In): void {
    if (this.#closed !== undefined) return;
    this.#arrived.push(frame);
    queueMicrotask(() => this.#dispatch());
  }

  #end(reason: string): void {
    this.#closed ??= reason;
    queueMicrotask(() => this.#dispatch());
  }

  #dispatch(): void {
    if (this.#events === undefined) return;
    for (let next = this.#arrived.shift(); next !== undefined; next = this.#arrived.shift()) this.#events.onFrame(next);
    if (this.#closed === undefined || this.#isTold) return;
    this.#isTold = true;
    this.#events.onClose(this.#closed);
  }
}
