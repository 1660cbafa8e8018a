import type { Json } from '@rondo/kernel';
import { Operator, templatable, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';

export interface TriggerDagRunArgs {
  /** A template. */
  readonly triggerDagId: string;
  /** Default: made from the attempt, so that a repeat asks for the same run. A template. */
  readonly triggerRunId?: string;
  /** What the run is given. Templates. */
  readonly conf?: Json;
  /** ISO text. Default: none. A template. */
  readonly logicalDate?: string;
  /** True: the task ends as the run does. Default false: it succeeds once the run exists. */
  readonly waitForCompletion?: boolean;
  /** Ends of the run that the task succeeds with. Default `['success']`. */
  readonly allowedStates?: readonly ('success' | 'failed')[];
  /** True: a run with that id is reason to skip. Default false. */
  readonly skipWhenAlreadyExists?: boolean;
}

const flag = z.boolean().describe('true or false').optional();

/** Starts a run of another DAG. It holds no worker while it waits. */
export class TriggerDagRunOperator extends Operator<TriggerDagRunArgs, void> {
  static override readonly templateFields = ['triggerDagId', 'triggerRunId', 'conf', 'logicalDate'];
  static override readonly schema = z.strictObject({
    triggerDagId: templatable(z.string().min(1).describe('the id of a DAG')),
    triggerRunId: templatable(z.string().min(1).describe('a run id')).optional(),
    conf: z.unknown().optional(),
    logicalDate: templatable(z.string().min(1).describe('ISO text, or a template that becomes it')).optional(),
    waitForCompletion: flag,
    allowedStates: z
      .array(z.enum(['success', 'failed']))
      .min(1)
      .describe("a list of 'success' and 'failed'")
      .optional(),
    skipWhenAlreadyExists: flag,
  });

  execute(ctx: TaskContext, args: TriggerDagRunArgs): void {
    const {
      triggerDagId,
      triggerRunId,
      conf,
      logicalDate,
      waitForCompletion = false,
      allowedStates = ['success'],
      skipWhenAlreadyExists = false,
    } = args;
    const date = logicalDate === undefined ? undefined : millisecondsOf(logicalDate);
    if (triggerRunId !== undefined && !/^[A-Za-z0-9_.~:+-]+$/.test(triggerRunId))
      throw new Error(`triggerRunId is '${triggerRunId}'; allowed: letters, digits and _.~:+-`);
    ctx.flow.triggerRun({
      dagId: triggerDagId,
      wait: waitForCompletion,
      allowedStates,
      skipWhenAlreadyExists,
      ...(triggerRunId === undefined ? {} : { runId: triggerRunId }),
      ...(conf === undefined ? {} : { conf }),
      ...(date === undefined ? {} : { logicalDate: date }),
    });
  }
}

/** A text without an offset is UTC. */
function millisecondsOf(text: string): number {
  const iso = text.trim().replace(/^(\d{4}-\d{2}-\d{2}) (?=\d)/, '$1T');
  const ms = Date.parse(/T/.test(iso) && !/(Z|[+-]\d{2}:?\d{2})$/i.test(iso) ? `${iso}Z` : iso);
  if (Number.isNaN(ms)) throw new Error(`logicalDate is '${text}'; allowed: ISO text such as 2024-01-01T00:00:00Z`);
  return ms;
}
