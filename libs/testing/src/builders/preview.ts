import { nextRun, type NextRun, type NextRunQuery, type TimetableSpec } from '@rondo/domain';

/** The next runs of a timetable, at most `count`, each as if it were asked for when the one before it is due. */
export function preview(spec: TimetableSpec, query: NextRunQuery, count: number): NextRun[] {
  const runs: NextRun[] = [];
  let { now, last } = query;
  while (runs.length < count) {
    const run = nextRun(spec, { ...query, now, last });
    if (run === null) break;
    runs.push(run);
    last = run.dataInterval;
    now = Math.max(now, run.runAfter);
  }
  return runs;
}
