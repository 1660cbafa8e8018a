import type { MessagePort } from 'node:worker_threads';
import type { AttemptRef } from '@rondo/domain';
import type { LogLine } from '@rondo/ports';

/** What a worker's thread asks of the main thread, which holds the lines to the gateways. */
export type DeskRequest =
  | { readonly kind: 'append'; readonly n: number; readonly attempt: AttemptRef; readonly lines: readonly LogLine[] }
  | { readonly kind: 'materialise'; readonly n: number; readonly hash: string }
  /** Without an answer. */
  | { readonly kind: 'release'; readonly hash: string };

export type DeskAnswer =
  | { readonly n: number; readonly value?: string }
  | { readonly n: number; readonly error: string };

export interface Desk {
  readonly append: (attempt: AttemptRef, lines: readonly LogLine[]) => Promise<void>;
  readonly materialise: (hash: string) => Promise<string>;
  readonly release: (hash: string) => void;
}

/** The thread's end. */
export function deskOver(port: MessagePort): Desk & { readonly close: () => void } {
  const open = new Map<number, PromiseWithResolvers<string | undefined>>();
  let count = 0;
  port.on('message', (answer: DeskAnswer) => {
    const asked = open.get(answer.n);
    open.delete(answer.n);
    if ('error' in answer) asked?.reject(new Error(answer.error));
    else asked?.resolve(answer.value);
  });
  const ask = (request: (n: number) => DeskRequest): Promise<string | undefined> => {
    const n = ++count;
    const answer = Promise.withResolvers<string | undefined>();
    open.set(n, answer);
    port.postMessage(request(n));
    return answer.promise;
  };
  return {
    append: async (attempt, lines) => void (await ask((n) => ({ kind: 'append', n, attempt, lines }))),
    materialise: async (hash) => (await ask((n) => ({ kind: 'materialise', n, hash })))!,
    release: (hash) => port.postMessage({ kind: 'release', hash } satisfies DeskRequest),
    close: () => port.close(),
  };
}

/** The main thread's end: serves what is asked. */
export function serveDesk(port: MessagePort, desk: Desk): void {
  const answer = (n: number, value: Promise<string | void>): void =>
    void value.then(
      (given) => port.postMessage((given === undefined ? { n } : { n, value: given }) satisfies DeskAnswer),
      (error: unknown) =>
        port.postMessage({ n, error: error instanceof Error ? error.message : String(error) } satisfies DeskAnswer),
    );
  port.on('message', (request: DeskRequest) => {
    switch (request.kind) {
      case 'append':
        return answer(request.n, desk.append(request.attempt, request.lines));
      case 'materialise':
        return answer(request.n, desk.materialise(request.hash));
      case 'release':
        return desk.release(request.hash);
    }
  });
}
