import { clearInstance, clearRun, clearSelection, taskIds, type ClearableRun, type RunState } from '@rondo/domain';
import { byPart, fields, Inexpressible, list, number, type Case, type Fields, type Finding } from '../case.ts';
import { indexOf, readDag } from '../dag.ts';
import { stateName, taskState } from '../values.ts';
import { inOrderOf } from './dagrun-state.ts';

export function clear({ input, expected }: Case): Finding {
  if (input['dag'] !== undefined) return selection(input, expected);
  if (input['instance'] !== undefined) return instance(input, expected);
  if (input['run'] !== undefined) return run(input, expected);
  throw new Inexpressible('the case clears neither tasks, an instance nor a run');
}

function selection(input: Fields, expected: unknown): Finding {
  const { graph } = readDag(input['dag']);
  const matched = list(input['clear'], 'clear').map((id) => indexOf(graph, String(id)));
  const cleared = clearSelection(graph, matched, {
    upstream: input['include_upstream'] === true,
    downstream: input['include_downstream'] === true,
  });
  return byPart(expected, { cleared: (wanted) => inOrderOf(wanted, taskIds(graph, cleared)) });
}

function instance(input: Fields, expected: unknown): Finding {
  const given = fields(input['instance'], 'instance');
  const task = input['task'] === null || input['task'] === undefined ? null : fields(input['task'], 'task');
  const tryNumber = number(given['try_number'], 0);
  const before = {
    state: taskState(given['state'], 'instance.state'),
    tryNumber,
    maxTries: number(given['max_tries'], 0),
  };
  const after = clearInstance(before, task === null ? null : number(task['retries'], 0));
  return byPart(expected, {
    instance: (wanted) =>
      part(wanted, { state: stateName(after.state), try_number: after.tryNumber, max_tries: after.maxTries }),
  });
}

const [STARTED, NOW] = [1, 2];

/** Dates appear as what became of them. */
function run(input: Fields, expected: unknown): Finding {
  const given = fields(input['run'], 'run');
  const before: ClearableRun = {
    state: String(given['state']) as RunState,
    startDate: STARTED,
    queuedAt: STARTED,
    clearNumber: 0,
    lastSchedulingDecision: STARTED,
  };
  const to = input['dag_run_state'] === 'running' ? 'running' : 'queued';
  const after = clearRun(before, NOW, to);
  const date = (value: number | null): unknown => (value === null ? null : value === NOW ? 'now' : 'unchanged');
  return byPart(expected, {
    run: (wanted) =>
      part(wanted, {
        state: after.state,
        start_date: date(after.startDate),
        queued_at: date(after.queuedAt),
        last_scheduling_decision: date(after.lastSchedulingDecision),
        clear_number_increment: after.clearNumber,
        clear_number: after.clearNumber,
      }),
  });
}

function part(wanted: unknown, got: Fields): Fields {
  const found: Record<string, unknown> = {};
  for (const name of Object.keys(fields(wanted, 'expected part'))) {
    if (!Object.hasOwn(got, name)) throw new Inexpressible(`expected ${name} has no counterpart in the domain`);
    found[name] = got[name];
  }
  return found;
}
