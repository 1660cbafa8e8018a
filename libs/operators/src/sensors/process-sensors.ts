import { Sensor, type Poked, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';
import { BashOperator, bashShape, endError, exitCodes, runBash, type BashArgs } from '../bash/bash-operator.ts';
import { callPython, PythonOperator, pythonShape, type PythonArgs } from '../python/python-operator.ts';

/** Sensors of one DAG file that run a process at once: a process is far dearer than a poke. */
const AT_ONCE = 8;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

export interface BashSensorArgs extends Omit<BashArgs, 'skipOnExitCode'> {
  /** Only these exit codes mean "not yet", and any other but 0 fails. Default: all but 0 mean "not yet". */
  readonly retryExitCode?: number | readonly number[];
}

/** Runs a command until it ends with 0. */
export class BashSensor extends Sensor<BashSensorArgs, void> {
  static override readonly templateFields = BashOperator.templateFields;
  static override readonly templateExtensions = BashOperator.templateExtensions;
  static override readonly schema = z.strictObject({ ...bashShape, retryExitCode: exitCodes.optional() });

  async poke(ctx: TaskContext, { retryExitCode, ...args }: BashSensorArgs): Promise<boolean> {
    const { code, signal } = await inTurn(() => runBash(ctx, args));
    if (code === 0) return true;
    const isLater = retryExitCode === undefined || (code !== null && [retryExitCode].flat().includes(code));
    if (isLater) return false;
    throw endError({ code, signal });
  }
}

/** Calls a Python function until it returns what Python holds for true. */
export class PythonSensor extends Sensor<PythonArgs, void> {
  static override readonly templateFields = PythonOperator.templateFields;
  static override readonly schema = z.strictObject(pythonShape);

  async poke(ctx: TaskContext, args: PythonArgs): Promise<Poked<void>> {
    const value = await inTurn(() => callPython(ctx, args));
    if (Array.isArray(value)) return value.length > 0;
    return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);
  }
}
