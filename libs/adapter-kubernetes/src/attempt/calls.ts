import type { AgentFrame, GatewayFrame } from '@rondo/ports';
import type { PodLink } from '../session/pod-link.ts';

type Call = Extract<AgentFrame, { kind: 'call' }>;

/** What attempts ask of the gateway, and its answers: each under a number of its own, since pods count for themselves. */
export class Calls {
  readonly #send: (call: Call) => void;
  readonly #open = new Map<number, { readonly link: PodLink; readonly n: number }>();
  #count = 0;

  constructor(send: (call: Call) => void) {
    this.#send = send;
  }

  /** An attempt asks for itself alone (I15). */
  onCall(link: PodLink, call: Call): void {
    if (call.attempt !== link.entry.id)
      return link.send({ kind: 'answer', n: call.n, error: `this pod is of attempt '${link.entry.id}'` });
    this.#open.set(++this.#count, { link, n: call.n });
    this.#send({ ...call, n: this.#count });
  }

  onAnswer(answer: Extract<GatewayFrame, { kind: 'answer' }>): void {
    const call = this.#open.get(answer.n);
    this.#open.delete(answer.n);
    call?.link.send({ ...answer, n: call.n });
  }
}
