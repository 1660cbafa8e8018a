import { describe, expect, it } from '@jest/globals';
import { StoreUnavailableError, type AttemptServices, type Clock } from '@rondo/ports';
import { patientServices } from './patient-services.ts';

/** Time that passes when somebody waits for it. */
function hastyClock(): { readonly clock: Clock; readonly waited: number[] } {
  const waited: number[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    at: (time, callback) => {
      waited.push(time - now);
      now = time;
      queueMicrotask(callback);
      return () => undefined;
    },
  };
  return { clock, waited };
}

const servicesWith = (variable: AttemptServices['variable']): AttemptServices =>
  ({ variable }) as unknown as AttemptServices;

describe('services that wait', () => {
  it('ask again, with pauses that grow, until what was away is back', async () => {
    const { clock, waited } = hastyClock();
    const asked: string[] = [];
    const services = servicesWith(async (id, key) => {
      asked.push(`${id} ${key}`);
      if (asked.length <= 7) throw new StoreUnavailableError('PostgreSQL does not answer', { retryable: true });
      return 'value';
    });
    expect(await patientServices(services, clock).variable('attempt', 'name')).toBe('value');
    expect(asked).toEqual(Array.from({ length: 8 }, () => 'attempt name'));
    expect(waited).toEqual([250, 500, 1_000, 2_000, 5_000, 5_000, 5_000]);
  });

  it.each([new Error('no such variable'), new StoreUnavailableError('stopped', { retryable: false })])(
    'pass on what does not pass by itself: %s',
    async (error) => {
      const { clock, waited } = hastyClock();
      const services = servicesWith(() => Promise.reject(error));
      await expect(patientServices(services, clock).variable('attempt', 'name')).rejects.toBe(error);
      expect(waited).toEqual([]);
    },
  );
});
