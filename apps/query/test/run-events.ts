import type { GivenEvent } from './api-kit.ts';

export const firstTry = { taskId: 'first', mapIndex: [], tryNumber: 1, leg: 1 };

/** Events of the DAG `random`, whose version has this hash. */
export function eventsOf(version: string) {
  const published = (dagId: string): GivenEvent => ({
    stream: `dag-${dagId}`,
    type: 'DagVersionPublished',
    data: {
      version: version,
      file: 'random.ts',
      bundle: 'b'.repeat(64),
      scheduling: {
        timetable: { kind: 'none' },
        timezone: 'UTC',
        catchup: false,
        maxActiveRuns: 16,
        maxConsecutiveFailedDagRuns: 0,
        isPausedUponCreation: false,
      },
    },
    at: 1,
  });
  const facts = (runId: string, runAfter = 10) => ({
    runId,
    runType: 'manual',
    logicalDate: null,
    dataInterval: null,
    runAfter,
    triggeredBy: 'user',
  });
  const requested = (runId: string, runAfter = 10): GivenEvent => ({
    stream: 'dag-random',
    type: 'RunRequested',
    data: facts(runId, runAfter),
    at: runAfter,
  });
  const own = (runId: string, type: string, data: object, at: number): GivenEvent => ({
    stream: `dagRun-random:${runId}`,
    type,
    data: { ...data, at },
    at,
  });
  const started = (runId: string, at = 20): GivenEvent =>
    own(runId, 'RunStarted', { ...facts(runId), dagId: 'random', version: version }, at);
  return { published, requested, own, started };
}
