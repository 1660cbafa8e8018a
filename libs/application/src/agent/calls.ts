import type { Json } from '@rondo/kernel';
import type { AttemptServices, GatewayFrame } from '@rondo/ports';
import { calledServices } from '../attempt-calls.ts';
import type { Contact } from './contact.ts';

interface Call {
  readonly attempt: string;
  readonly method: string;
  readonly args: readonly Json[];
  /** Undefined: no gateway can be reached. */
  contact: Contact | undefined;
  readonly resolve: (value: Json | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Services that attempts ask for, from whichever gateway can be reached; while there is none they wait. */
export class AttemptCalls {
  readonly services: AttemptServices = calledServices((attempt, method, args) => this.#call(attempt, method, args));
  readonly #calls = new Map<number, Call>();
  #pick: (attempt: string) => Contact | undefined = () => undefined;
  #count = 0;

  /** Which gateway an attempt's calls go to. */
  route(pick: (attempt: string) => Contact | undefined): void {
    this.#pick = pick;
  }

  onAnswer({ n, value, error }: Extract<GatewayFrame, { kind: 'answer' }>): void {
    const call = this.#calls.get(n);
    if (!this.#calls.delete(n)) return;
    if (error === undefined) call!.resolve(value);
    else call!.reject(new Error(error));
  }

  /** A gateway has come or gone: what has no answer is asked again elsewhere. */
  reroute(): void {
    for (const [n, call] of this.#calls) if (call.contact?.isOpen !== true) this.#send(n, call);
  }

  /** Nobody waits for the answers any more. */
  forget(attempt: string): void {
    for (const [n, call] of this.#calls) if (call.attempt === attempt) this.#calls.delete(n);
  }

  #call(attempt: string, method: string, args: readonly Json[]): Promise<Json | undefined> {
    return new Promise((resolve, reject) => {
      const n = ++this.#count;
      const call: Call = { attempt, method, args, contact: undefined, resolve, reject };
      this.#calls.set(n, call);
      this.#send(n, call);
    });
  }

  #send(n: number, call: Call): void {
    const { attempt, method, args } = call;
    call.contact = this.#pick(attempt);
    call.contact?.send({ kind: 'call', n, attempt, method, args });
  }
}
