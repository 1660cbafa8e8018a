import type { AttemptOutcome } from '@rondo/domain';
import { parseDuration } from '@rondo/kernel';
import { show } from '../authoring/error.ts';
import { jsonOf } from '../authoring/json.ts';
import type { Trigger } from '../authoring/trigger.ts';
import type { Session } from './attempt-context.ts';
import { Deferral } from './signals.ts';
import type { DeferOptions } from './task-context.ts';

/** I7. */
const MAX_ARGS_BYTES = 32 * 1024;

/** What `ctx.defer` throws. Throws a TypeError for what cannot be waited for. */
export function deferral(session: Session, options: DeferOptions): Deferral {
  const { trigger, wait, resume, timeout, onTimeout = 'retry', onFailed } = options;
  const { task } = session;
  if (task === undefined) throw new TypeError('a callback of a DAG cannot wait');
  if ((trigger === undefined) === (wait === undefined))
    throw new TypeError(`defer() is given ${trigger === undefined ? 'nothing' : 'both'}; allowed: trigger or wait`);
  if (resume !== undefined && !task.hasMethod(resume))
    throw new TypeError(
      `resume is ${show(resume)}; allowed: the name of a method (ctx, args, payload) of ${task.operator}`,
    );
  const limit = timeout === undefined ? undefined : parseDuration(timeout);
  if (limit?.ok === false) throw new TypeError(`timeout: ${limit.error}`);
  return new Deferral({
    kind: 'defer',
    wait: wait ?? triggerWait(session, trigger!),
    onTimeout,
    ...(resume === undefined ? {} : { resume }),
    ...(limit === undefined ? {} : { timeoutMs: limit.value }),
    ...(onFailed === undefined ? {} : { onFailed }),
  });
}

function triggerWait({ task, host }: Session, trigger: Trigger): Extract<AttemptOutcome, { kind: 'defer' }>['wait'] {
  const known = task!.triggers;
  const kind = known.find((each) => each === trigger.constructor);
  if (kind === undefined)
    throw new TypeError(
      `the trigger is a ${trigger.constructor.name}; allowed: ${known.map(({ name }) => name).join(', ') || `none, since ${task!.operator} has no triggers`}`,
    );
  const args = jsonOf(trigger.args);
  if (!args.ok) throw new TypeError(`args of ${kind.name}: ${args.error}`);
  const text = JSON.stringify(args.value);
  if (text.length > MAX_ARGS_BYTES)
    throw new TypeError(`args of ${kind.name} have ${text.length} bytes; allowed: ${MAX_ARGS_BYTES}`);
  if (host.mask !== undefined && host.mask(text) !== text)
    throw new TypeError(
      `args of ${kind.name} hold a secret; allowed: what may stand in the history, such as the id of a connection`,
    );
  return { kind: 'trigger', trigger: kind.name, args: args.value };
}
