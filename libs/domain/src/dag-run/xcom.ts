import { err, ok, type Result } from '@rondo/kernel';
import type { MapIndex, XComValue } from '../task-instance/index.ts';
import type { Decision } from './decision.ts';
import { findInstance } from './state.ts';

/** A change of one XCom by hand. Without `value`: it is deleted. */
export interface XComChange {
  readonly taskId: string;
  readonly mapIndex: MapIndex;
  readonly key: string;
  readonly value?: XComValue;
}

/** Whatever the state of the instance; the next try starts without it. Tasks that have begun keep what they were given. */
export function decideXCom(d: Decision, { taskId, mapIndex, key, value }: XComChange): Result<null> {
  if (findInstance(d.run, taskId, mapIndex) === undefined)
    return err(`the run has no task instance '${taskId}'${mapIndex.length === 0 ? '' : ` [${mapIndex.join('.')}]`}`);
  const base = { at: d.now, taskId, mapIndex, key };
  d.emit(value === undefined ? { type: 'XComDeleted', data: base } : { type: 'XComSet', data: { ...base, value } });
  return ok(null);
}
