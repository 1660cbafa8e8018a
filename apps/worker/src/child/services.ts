import type { AttemptServices } from '@rondo/ports';
import type { Channel } from './channel.ts';
import { FROM_CHILD, type AnswerFrame, type CallFrame, type ServiceMethod } from './frames.ts';
import { secretsOfConnection, secretsOfVariable, type Masker } from './masker.ts';

interface Waiting {
  readonly id: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Base64 {
  readonly base64: string;
}

const base64Of = (bytes: Uint8Array): Base64 => ({ base64: Buffer.from(bytes).toString('base64') });
const bytesOf = ({ base64 }: Base64): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'));

/** The services of attempts, by way of the worker. What it looks up is told to the masker before it is handed out. */
export class ServiceClient {
  readonly #channel: Channel;
  readonly #masker: Masker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  readonly #open = new Set<string>();

  constructor(channel: Channel, masker: Masker) {
    this.#channel = channel;
    this.#masker = masker;
  }

  /** The attempt may call from here on. */
  open(attemptId: string): void {
    this.#open.add(attemptId);
  }

  close(attemptId: string): void {
    this.#open.delete(attemptId);
    for (const [n, { id, reject }] of this.#waiting) {
      if (id !== attemptId) continue;
      this.#waiting.delete(n);
      reject(new Error('the attempt has ended'));
    }
  }

  onAnswer(answer: AnswerFrame): void {
    const waiting = this.#waiting.get(answer.n);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.n);
    if ('error' in answer) waiting.reject(new Error(answer.error));
    else waiting.resolve(answer.value);
  }

  readonly services: AttemptServices = {
    variable: async (id, key) => {
      const value = (await this.#call(id, 'variable', [key])) as string | undefined;
      if (value !== undefined) this.#masker.add(secretsOfVariable(value));
      return value;
    },
    connection: async (id, connId) => {
      const connection = (await this.#call(id, 'connection', [connId])) as Awaited<
        ReturnType<AttemptServices['connection']>
      >;
      if (connection !== undefined) this.#masker.add(secretsOfConnection(connection));
      return connection;
    },
    xcom: async (id, query) => (await this.#call(id, 'xcom', [query])) as Awaited<ReturnType<AttemptServices['xcom']>>,
    xcomList: async (id, query) =>
      (await this.#call(id, 'xcomList', [query])) as Awaited<ReturnType<AttemptServices['xcomList']>>,
    previousSuccess: async (id) =>
      (await this.#call(id, 'previousSuccess', [])) as Awaited<
        ReturnType<NonNullable<AttemptServices['previousSuccess']>>
      >,
    assetEvents: async (id, query) =>
      (await this.#call(id, 'assetEvents', [query])) as Awaited<
        ReturnType<NonNullable<AttemptServices['assetEvents']>>
      >,
    putBlob: async (id, bytes) => (await this.#call(id, 'putBlob', [base64Of(bytes)])) as string,
    getBlob: async (id, hash) => {
      const bytes = (await this.#call(id, 'getBlob', [hash])) as Base64 | undefined;
      return bytes === undefined ? undefined : bytesOf(bytes);
    },
    seal: async (id, bytes) => bytesOf((await this.#call(id, 'seal', [base64Of(bytes)])) as Base64),
    unseal: async (id, bytes) => bytesOf((await this.#call(id, 'unseal', [base64Of(bytes)])) as Base64),
  };

  #call(attemptId: string, method: ServiceMethod, args: readonly unknown[]): Promise<unknown> {
    if (!this.#open.has(attemptId))
      return Promise.reject(new Error(`attempt ${attemptId} has ended: it can look nothing up any more`));
    const n = ++this.#next;
    const frame: CallFrame = { n, method, args, id: attemptId };
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(n, { id: attemptId, resolve, reject }));
    this.#channel.send(FROM_CHILD.call, JSON.stringify(frame));
    return answer;
  }
}
