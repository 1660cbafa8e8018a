import { isTerminal } from '../task-instance/index.ts';
import { look, type DagRunState, type InstanceState } from './state.ts';

/** What people set about an instance while its run goes on: held or not, its priority, its retries. */

export function setHold(run: DagRunState, inst: InstanceState, held: boolean): void {
  if (inst.onHold === held) return;
  inst.onHold = held;
  if (!isTerminal(inst.state)) run.holds += held ? 1 : -1;
  look(run, inst);
}

/** The tries that it has had stay counted; those to come are more or fewer. */
export function setRetries(inst: InstanceState, retries: number): void {
  inst.maxTries += retries - retriesOf(inst);
  inst.retries = retries;
}

export function retriesOf(inst: InstanceState): number {
  return inst.retries ?? inst.task.def.retries;
}
