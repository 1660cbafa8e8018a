import { StoreUnavailableError, type AttemptServices, type Clock } from '@rondo/ports';

const PAUSES_MS = [250, 500, 1_000, 2_000, 5_000];

/**
 * Services that wait for what they ask: a store or a database that is away is no fault of an attempt. How long one waits is
 * up to its execution timeout. Other errors pass.
 */
export function patientServices(services: AttemptServices, clock: Clock): AttemptServices {
  const patient = Object.entries(services).map(([name, serve]) => {
    const ask = serve as (...args: readonly unknown[]) => Promise<unknown>;
    return [name, (...args: readonly unknown[]) => untilThere(() => ask(...args), clock)] as const;
  });
  return Object.fromEntries(patient) as unknown as AttemptServices;
}

async function untilThere<T>(ask: () => Promise<T>, clock: Clock): Promise<T> {
  for (let times = 0; ; times++)
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || !error.retryable) throw error;
      const pause = PAUSES_MS[Math.min(times, PAUSES_MS.length - 1)]!;
      await new Promise<void>((resolve) => void clock.at(clock.now() + pause, resolve));
    }
}
