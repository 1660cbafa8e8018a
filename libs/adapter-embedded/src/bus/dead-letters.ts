import { err, ok } from '@rondo/kernel';
import type { DeadLetters } from '@rondo/ports';

/** Of the bus inside the process: it hands values on as they are, decodes nothing, and so lays nothing aside. */
export const noDeadLetters: DeadLetters = {
  list: async () => ({ items: [], next: undefined }),
  find: async () => undefined,
  replay: async (ids) => (ids.length === 0 ? ok(0) : err({ unknown: ids, replayed: [] })),
  replayAll: async () => 0,
};
