import { randomUUID } from 'node:crypto';
import type { Clock, Ids } from '@rondo/ports';

/** The longest delay that a timer of the platform takes. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** The machine's clock. A timer may be set for any time, however far, and never calls back early. */
export function systemClock(): Clock {
  return {
    now: Date.now,
    at(time, callback) {
      let timer: NodeJS.Timeout;
      const arm = (): void => {
        timer = setTimeout(
          () => {
            if (Date.now() >= time) callback();
            else arm();
          },
          Math.min(MAX_DELAY_MS, Math.max(0, time - Date.now())),
        );
      };
      arm();
      return () => clearTimeout(timer);
    },
  };
}

export const systemIds: Ids = { uuid: randomUUID };
