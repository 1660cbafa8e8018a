/**
 * Where a task instance stands among the instances of its task: `[]` for a task that is not mapped, `[3]` for the fourth
 * instance of a mapped one, `[2, 5]` inside a mapped group. Zero-based.
 */
export type MapIndex = readonly number[];

export const UNMAPPED: MapIndex = [];

/** One task instance of one run. */
export interface InstanceRef {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: MapIndex;
}

/** I1: one attempt. `tryNumber` counts from 1; `leg` from 1 and grows with every dispatch of that try. */
export interface AttemptRef extends InstanceRef {
  readonly tryNumber: number;
  readonly leg: number;
}

/** `extract`, `extract[3]`, `extract[2.5]`: unique in a run. */
export function instanceKey(taskId: string, mapIndex: MapIndex): string {
  return mapIndex.length === 0 ? taskId : `${taskId}[${mapIndex.join('.')}]`;
}

/** An instance whichever its attempt: `{dagId}:{runId}:{instance}`. */
export function instanceId({ dagId, runId, taskId, mapIndex }: InstanceRef): string {
  return `${dagId}:${runId}:${instanceKey(taskId, mapIndex)}`;
}

/** I1: `{dagId}:{runId}:{instance}:{try}.{leg}`. Neither a DAG id nor a task id has a colon; a run id may. */
export function attemptId(a: AttemptRef): string {
  return `${a.dagId}:${a.runId}:${instanceKey(a.taskId, a.mapIndex)}:${a.tryNumber}.${a.leg}`;
}

const ATTEMPT_ID = /^([^:]+):(.+):([^:[\]]+)(?:\[([\d.]+)\])?:(\d+)\.(\d+)$/;

/** The parts of an attempt id; undefined for a text that is none. */
export function parseAttemptId(id: string): AttemptRef | undefined {
  const m = ATTEMPT_ID.exec(id);
  if (m === null) return undefined;
  return {
    dagId: m[1]!,
    runId: m[2]!,
    taskId: m[3]!,
    mapIndex: m[4] === undefined ? UNMAPPED : m[4].split('.').map(Number),
    tryNumber: Number(m[5]),
    leg: Number(m[6]),
  };
}

/**
 * What happens to many instances at once is one event (I7). Without `to`: the one instance `mapIndex`; with `to`: all whose
 * path is `mapIndex` with its last element running from there to `to`, both included.
 */
export interface InstanceRange {
  readonly taskId: string;
  readonly mapIndex: MapIndex;
  readonly to?: number;
}

/** Every path that a range stands for. */
export function* pathsOf(range: InstanceRange): Generator<MapIndex> {
  if (range.to === undefined || range.mapIndex.length === 0) {
    yield range.mapIndex;
    return;
  }
  const prefix = range.mapIndex.slice(0, -1);
  for (let i = range.mapIndex[range.mapIndex.length - 1]!; i <= range.to; i++) yield [...prefix, i];
}

/** The fewest ranges that stand for these instances, in the order in which their tasks first come up. */
export function rangesOf(
  instances: Iterable<{ readonly taskId: string; readonly mapIndex: MapIndex }>,
): readonly InstanceRange[] {
  const byTask = new Map<string, MapIndex[]>();
  for (const { taskId, mapIndex } of instances) {
    const paths = byTask.get(taskId);
    if (paths === undefined) byTask.set(taskId, [mapIndex]);
    else paths.push(mapIndex);
  }
  const ranges: InstanceRange[] = [];
  for (const [taskId, paths] of byTask) {
    if (paths.length > 1) paths.sort(compareMapIndex);
    for (let at = 0; at < paths.length;) {
      let last = at;
      while (last + 1 < paths.length && follows(paths[last]!, paths[last + 1]!)) last++;
      const mapIndex = paths[at]!;
      ranges.push(last === at ? { taskId, mapIndex } : { taskId, mapIndex, to: paths[last]!.at(-1)! });
      at = last + 1;
    }
  }
  return ranges;
}

/** By element, the shorter path first. */
export function compareMapIndex(a: MapIndex, b: MapIndex): number {
  for (let at = 0; at < a.length && at < b.length; at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return a.length - b.length;
}

/** The same path with its last element one further. */
function follows(a: MapIndex, b: MapIndex): boolean {
  const last = a.length - 1;
  if (b.length !== a.length || last < 0 || b[last] !== a[last]! + 1) return false;
  for (let at = 0; at < last; at++) if (a[at] !== b[at]) return false;
  return true;
}
