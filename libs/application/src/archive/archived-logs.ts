import type { LogStore } from '@rondo/ports';
import type { Archives } from './archives.ts';

const MOST_LINES = 1_000;

/** Logs that begin with what is in the archives of their runs. */
export function logsWithArchives(logs: LogStore, archives: Archives): LogStore {
  return {
    append: (attempt, lines) => logs.append(attempt, lines),
    async read(attempt, fromLine = 0, limit = MOST_LINES) {
      const earlier = await archives.log(attempt);
      if (fromLine < earlier.length) {
        const lines = earlier.slice(fromLine, fromLine + limit);
        return { lines, next: fromLine + lines.length };
      }
      const { lines, next } = await logs.read(attempt, fromLine - earlier.length, limit);
      return { lines, next: next + earlier.length };
    },
    follow: (attempt, fromLine, onLines) => logs.follow(attempt, fromLine, onLines),
    deleteRun: (dagId, runId) => logs.deleteRun(dagId, runId),
    close: () => logs.close(),
  };
}
