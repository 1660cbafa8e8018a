import { evaluateUpstream, holdSkipForPast, indirectSetups, type UpstreamCounts, type Verdict } from '@rondo/domain';
import { byPart, fields, Inexpressible, list, number, type Case, type Fields, type Finding } from '../case.ts';
import { countStates, indexOf, readDag, readStates, ruleOf } from '../dag.ts';

export function triggerRule({ input, expected }: Case): Finding {
  return input['dag'] === undefined ? fromCounts(input, expected) : fromDag(input, expected);
}

function readCounts(value: unknown): UpstreamCounts {
  const from = fields(value, 'upstream');
  const count = (...names: string[]): number =>
    number(
      names.map((name) => from[name]).find((given) => given !== undefined),
      0,
    );
  const counts = {
    success: count('success'),
    failed: count('failed'),
    upstreamFailed: count('upstream_failed'),
    skipped: count('skipped'),
    removed: count('removed'),
    setupTotal: count('setup_total', 'upstream_setup', 'total_setup'),
    setupSuccess: count('success_setup', 'setup_success'),
    setupSkipped: count('skipped_setup', 'setup_skipped'),
  };
  const done = counts.success + counts.failed + counts.upstreamFailed + counts.skipped + counts.removed;
  return { ...counts, total: number(from['total'], done) };
}

function fromCounts(input: Fields, expected: unknown): Finding {
  const verdict = hold(
    evaluateUpstream({
      rule: ruleOf(input),
      direct: readCounts(input['upstream']),
      indirectSetups: input['indirect_setups'] === undefined ? undefined : readCounts(input['indirect_setups']),
      mapIndex: number(input['map_index'], -1),
    }),
    input,
  );
  return byPart(expected, {
    dep_met: () => verdict.met,
    state_when_flagged: () => verdict.state,
    state: () => verdict.state,
  });
}

function hold(verdict: Verdict, input: Fields): Verdict {
  return holdSkipForPast(
    verdict,
    input['wait_for_past_depends_before_skipping'] === true,
    input['past_depends_met'] === true,
  );
}

/** Each named task is judged on the given states alone, as if no other had been looked at before. */
function fromDag(input: Fields, expected: unknown): Finding {
  const { graph } = readDag(input['dag']);
  const statesOf = readStates(graph, input['states']);
  const setups = indirectSetups(graph);
  const judge = (id: string): Verdict => {
    if (id.includes('[')) throw new Inexpressible(`'${id}' is an instance of a mapped task`);
    const index = indexOf(graph, id);
    return hold(
      evaluateUpstream({
        rule: graph.nodes[index]!.triggerRule ?? 'all_success',
        direct: countStates(graph, graph.upstream[index]!, statesOf),
        indirectSetups: setups[index]!.length === 0 ? undefined : countStates(graph, setups[index]!, statesOf),
      }),
      input,
    );
  };
  const forEach =
    (take: (verdict: Verdict) => unknown) =>
    (wanted: unknown): unknown => {
      if (typeof wanted === 'object' && wanted !== null)
        return Object.fromEntries(Object.keys(wanted).map((id) => [id, take(judge(id))]));
      const [only] = list(
        input['evaluate_independently'] ?? [input['task'] ?? input['evaluate']],
        'the tasks to evaluate',
      );
      return take(judge(String(only)));
    };
  const state = forEach((verdict) => verdict.state);
  return byPart(expected, { dep_met: forEach((verdict) => verdict.met), state_when_flagged: state, state });
}
