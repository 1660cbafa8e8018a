import { BusUnavailableError } from '@rondo/ports';

/** Rejects with `BusUnavailableError` when the promise is not settled in time; what it stands for goes on. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(awayError(ms, what)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const awayError = (ms: number, what: string): BusUnavailableError =>
  new BusUnavailableError(`the brokers have not ${what} within ${Math.round(ms / 1_000)} seconds`);
