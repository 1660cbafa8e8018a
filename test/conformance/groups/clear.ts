import { clearSelection, taskIds } from '@rondo/domain';
import { byPart, fields, Inexpressible, list, number, type Case, type Fields, type Finding } from '../case.ts';
import { indexOf, readDag } from '../dag.ts';
import { Play } from '../play.ts';
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

/** The instance of a task that had come to its state in the given try. */
function instance(input: Fields, expected: unknown): Finding {
  const given = fields(input['instance'], 'instance');
  const play = new Play(
    readDag({ tasks: [{ id: 'task', retries: number(fields(input['task'], 'task')['retries'], 0) }] }),
  );
  play.put('task', taskState(given['state'], 'instance.state'), number(given['try_number'], 1));
  play.clear(['task']);
  const { state, tryNumber, maxTries, waitFor } = play.instance('task');
  const deferral = waitFor === undefined ? null : 'kept';
  return byPart(expected, {
    instance: (wanted) =>
      part(wanted, {
        state: stateName(state),
        try_number: tryNumber,
        max_tries: maxTries,
        next_method: deferral,
        next_kwargs: deferral,
        trigger_id: deferral,
      }),
  });
}

/**
 * A run that has ended by itself, or one that still runs. What happened to it is in its events: each clear is one, at its
 * time, and a run that is reopened has not started.
 */
function run(input: Fields, expected: unknown): Finding {
  const state = fields(input['run'], 'run')['state'];
  const play = new Play(readDag({ tasks: [{ id: 'task' }, { id: 'other' }] }));
  play.put('task', state === 'failed' ? 'failed' : 'success');
  play.put('other', state === 'running' ? 'running' : 'success');
  play.decide();
  if (play.run.state !== state) throw new Inexpressible(`no run comes to the state '${String(state)}' before a clear`);
  const before = play.events.length;
  play.clear(['task']);
  const types = play.events.slice(before).map((event) => event.type);
  const clears = types.filter((type) => type === 'TaskCleared').length;
  const afresh = types.includes('RunReopened') ? null : 'unchanged';
  return byPart(expected, {
    run: (wanted) =>
      part(wanted, {
        state: play.run.state,
        start_date: afresh,
        last_scheduling_decision: afresh,
        queued_at: clears > 0 ? 'now' : 'unchanged',
        clear_number_increment: clears,
        clear_number: clears,
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
