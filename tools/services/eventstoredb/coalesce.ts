import type { Writable } from 'node:stream';

type Sent = (error?: Error | null) => void;

/**
 * Lets a call hand over all messages that wait in one go, which go out in one write of the socket: the library waits for each
 * message to be gone before the next.
 */
export function coalesce(call: Writable): void {
  const { call: inner } = call as unknown as { readonly call: { sendMessage(message: unknown, sent: Sent): void } };
  call._writev = (chunks, sent) => {
    chunks.forEach(({ chunk }, at) => inner.sendMessage(chunk, at === chunks.length - 1 ? sent : () => undefined));
  };
}
