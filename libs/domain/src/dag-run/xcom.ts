import { err, ok, type Result } from '@rondo/kernel';
import type { MapIndex, XComValue } from '../task-instance/index.ts';
import type { Decision } from './decision.ts';
import { measured } from './measured.ts';
import { findInstance, type InstanceState } from './state.ts';

/** A change of one XCom by hand. Without `value`: it is deleted. */
export interface XComChange {
  readonly taskId: string;
  readonly mapIndex: MapIndex;
  readonly key: string;
  readonly value?: XComValue;
}

export interface XComRefusal {
  readonly code: 'not_found' | 'conflict' | 'invalid';
  readonly message: string;
}

/** Whatever the state of the instance; the next try starts without it. Tasks that have begun keep what they were given. */
export function decideXCom(d: Decision, change: XComChange): Result<null, XComRefusal> {
  const { taskId, mapIndex, key, value } = change;
  const inst = findInstance(d.run, taskId, mapIndex);
  const name = `'${taskId}'${mapIndex.length === 0 ? '' : ` [${mapIndex.join('.')}]`}`;
  if (inst === undefined) return err({ code: 'not_found', message: `the run has no task instance ${name}` });
  const base = { at: d.now, taskId, mapIndex, key };
  if (key === 'return_value' && inst.task.mapsInto.length > 0) {
    const refusal = mappedOver(d, inst, name, value);
    if (refusal !== undefined) return err(refusal);
  }
  d.emit(value === undefined ? { type: 'XComDeleted', data: base } : { type: 'XComSet', data: { ...base, value } });
  return ok(null);
}

/** Whoever is mapped over it has an instance for each item already: no item may come or go. */
function mappedOver(
  d: Decision,
  inst: InstanceState,
  name: string,
  value: XComValue | undefined,
): XComRefusal | undefined {
  if (value === undefined || !inst.pushed)
    return {
      code: 'conflict',
      message: `what ${name} returns is mapped over: another value may be set in its place, none may come or go`,
    };
  const lengths = measured(d.run, inst, value);
  if (!lengths.ok) return { code: 'invalid', message: lengths.error };
  for (const [path, length] of Object.entries(lengths.value ?? {})) {
    const before = inst.lengths?.[path];
    if (before === length) continue;
    const where = path === '[]' ? '' : ` at ${path}`;
    return {
      code: 'conflict',
      message: `what ${name} returns is mapped over and has ${before ?? 0} items${where}; allowed: as many, not ${length}`,
    };
  }
  return undefined;
}
