import type { StreamingRead } from '@eventstore/db-client';

/** What a read brings. One that is left early is cancelled at the server too: the client would keep its call open. */
export async function* reading<T>(read: StreamingRead<T>): AsyncGenerator<T> {
  let isOver = false;
  try {
    for await (const each of read) yield each;
    isOver = true;
  } finally {
    if (!isOver) await read.cancel().catch(() => undefined);
  }
}
