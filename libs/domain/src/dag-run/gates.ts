import { countUpstream, newUpstreamCounts, type UpstreamCounts } from '../trigger-rule/index.ts';
import type { InstanceState, TaskRuntime } from './state.ts';
import { isNode, placeAt, type Gate, type MapNode } from './tree.ts';

/**
 * Counts the upstream of a gate that is new, or below something that was mapped. One look at each upstream task: what is
 * under a place is tallied there already.
 */
export function recount(tasks: readonly TaskRuntime[], gate: Gate): void {
  const { task, node } = gate;
  const path = isNode(node) ? node.path : node.mapIndex;
  const sum = (counts: UpstreamCounts, ups: Iterable<number>, shared: readonly number[], setups: boolean): void => {
    empty(counts);
    let at = 0;
    for (const up of ups) {
      const runtime = tasks[up]!;
      const place = placeAt(runtime, path, Math.min(shared[at++]!, path.length));
      if (place !== undefined) add(counts, place, setups && runtime.plan.def.setup === true);
    }
  };
  sum(gate.counts, task.upstream, task.shared.upstream, true);
  sum(gate.setups, task.indirectSetups, task.shared.setups, false);
}

function empty(counts: UpstreamCounts): void {
  Object.assign(counts, newUpstreamCounts());
}

function add(counts: UpstreamCounts, place: MapNode | InstanceState, isSetup: boolean): void {
  if (!isNode(place)) {
    counts.total++;
    if (isSetup) counts.setupTotal++;
    countUpstream(counts, place.state, isSetup, 1);
    return;
  }
  const { tally } = place;
  counts.total += tally.total;
  counts.success += tally.success;
  counts.failed += tally.failed;
  counts.upstreamFailed += tally.upstreamFailed;
  counts.skipped += tally.skipped;
  counts.removed += tally.removed;
  if (!isSetup) return;
  counts.setupTotal += tally.total;
  counts.setupSuccess += tally.success;
  counts.setupSkipped += tally.skipped;
}
