import { err, ok, type Json, type JsonObject, type Result } from '@rondo/kernel';
import type { ApprovalResponse, ApprovalWait, MapIndex } from '../task-instance/index.ts';
import type { InstanceState } from './state.ts';

/** What a person answers. */
export interface ApprovalAnswer {
  readonly taskId: string;
  readonly mapIndex: MapIndex;
  readonly options: readonly string[];
  /** Values of the form, checked against its schemas; what is left out has its default. */
  readonly params?: JsonObject;
  /** The user's name. */
  readonly by: string;
}

export interface ApprovalRefusal {
  readonly code: 'not_found' | 'conflict' | 'invalid' | 'forbidden';
  readonly message: string;
}

/** The response that an answer makes; a refusal says what is allowed. */
export function responseOf(
  inst: InstanceState | undefined,
  answer: ApprovalAnswer,
  now: number,
): Result<ApprovalResponse, ApprovalRefusal> {
  const name =
    answer.mapIndex.length === 0 ? `'${answer.taskId}'` : `'${answer.taskId}' [${answer.mapIndex.join('.')}]`;
  if (inst === undefined) return refuse('not_found', `there is no task instance ${name}`);
  const { waitFor: wait } = inst;
  if (inst.state !== 'deferred' || wait?.kind !== 'approval')
    return refuse(
      'conflict',
      `task instance ${name} is ${inst.state} and asks nobody${inst.state === 'success' ? ': it was answered' : ''}`,
    );
  if (wait.assignees !== undefined && !wait.assignees.includes(answer.by))
    return refuse('forbidden', `'${answer.by}' may not answer; those who may are ${list(wait.assignees)}`);
  const chosen = [...new Set(answer.options)];
  const unknown = chosen.filter((option) => !wait.options.includes(option));
  if (unknown.length > 0)
    return refuse('invalid', `there is no option ${list(unknown)}; options are ${list(wait.options)}`);
  if (chosen.length === 0 || (chosen.length > 1 && !wait.multiple))
    return refuse(
      'invalid',
      `${chosen.length} options are chosen; allowed: ${wait.multiple ? 'one or more' : 'one'} of ${list(wait.options)}`,
    );
  const params = filledIn(wait, answer.params ?? {});
  if (!params.ok) return params;
  return ok({ chosenOptions: chosen, params: params.value, respondedBy: answer.by, respondedAt: now, timedOut: false });
}

export function responseAtTimeout(wait: ApprovalWait, defaults: readonly string[], now: number): ApprovalResponse {
  const params = Object.fromEntries(
    Object.entries(wait.params ?? {}).flatMap(([name, { default: value }]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
  return { chosenOptions: defaults, params, respondedBy: null, respondedAt: now, timedOut: true };
}

function filledIn(wait: ApprovalWait, given: JsonObject): Result<JsonObject, ApprovalRefusal> {
  const fields = wait.params ?? {};
  const names = Object.keys(fields);
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(fields, name));
  if (unknown.length > 0)
    return refuse(
      'invalid',
      `the form has no field ${list(unknown)}; ${names.length === 0 ? 'it has none' : `its fields are ${list(names)}`}`,
    );
  const values: Record<string, Json> = {};
  for (const [name, { default: fallback }] of Object.entries(fields)) {
    const value = Object.hasOwn(given, name) ? given[name] : fallback;
    if (value === undefined) return refuse('invalid', `the form's field '${name}' has no default and is not given`);
    values[name] = value;
  }
  return ok(values);
}

const list = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');

function refuse(code: ApprovalRefusal['code'], message: string): Result<never, ApprovalRefusal> {
  return err({ code, message });
}
