import { hash } from 'node:crypto';
import { needKnownEvent, type DagEvent, type DagRunEvent } from '@rondo/domain';
import type { Ids, NewEvent } from '@rondo/ports';

/** The schema of the events that this release writes; a reader upcasts older ones. */
export const EVENT_SCHEMA = 1;

export const dagStream = (dagId: string): string => `dag-${dagId}`;
export const runStream = (dagId: string, runId: string): string => `dagRun-${dagId}:${runId}`;

/** What stands in every event's metadata beside its id and the hash of its predecessor. */
export interface Cause {
  /** The id of the command or attempt that led to the event; cut to 60 characters. */
  readonly causationId: string;
  /** `user:ada`, `service:gateway`, `schedule:timetable`. */
  readonly actor: string;
}

export interface Trace {
  /** 32 hex digits; also the run's correlation id. */
  readonly traceId: string;
  readonly spanId: string;
}

/** One trace for each run, told from its name, so that every service computes the same. */
export function traceOf(dagId: string, runId: string): Trace {
  const digest = hash('sha256', `${dagId}:${runId}`, 'hex');
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) };
}

/** The span of an attempt within its run's trace, as a W3C traceparent. */
export function traceparentOf(trace: Trace, attemptId: string): string {
  return `00-${trace.traceId}-${spanIdOf(attemptId)}-01`;
}

/** 16 hex digits. */
export const spanIdOf = (attemptId: string): string => hash('sha256', attemptId, 'hex').slice(0, 16);

export function envelope(
  event: { readonly type: string; readonly data: object },
  trace: Trace,
  cause: Cause,
  at: number,
  ids: Ids,
  /** The id of the key that it is to be sealed with (I14). */
  seal?: string,
): NewEvent {
  const causationId = JSON.stringify(
    cause.causationId.length > 60 ? hash('sha256', cause.causationId, 'base64url') : cause.causationId,
  );
  const actor = JSON.stringify(cause.actor.length > 40 ? cause.actor.slice(0, 40) : cause.actor);
  return {
    id: ids.uuid(),
    type: event.type,
    data: JSON.stringify(event.data),
    meta: `{"correlationId":"${trace.traceId}","causationId":${causationId},"actor":${actor},"traceparent":"00-${trace.traceId}-${trace.spanId}-01","schema":${EVENT_SCHEMA},"at":${at}}`,
    ...(seal === undefined ? {} : { seal }),
  };
}

/** An event of this or an older schema, as the domain knows it. A newer schema, or a type that is not known, is refused: this release cannot fold it (I12). */
export function decodeEvent<E extends DagEvent | DagRunEvent>(recorded: {
  readonly type: string;
  readonly data: string;
  readonly meta: string;
  readonly stream: string;
  readonly revision: number;
}): E {
  const schema = /"schema":(\d+)/.exec(recorded.meta);
  if (schema !== null && Number(schema[1]) > EVENT_SCHEMA)
    throw new Error(
      `event ${recorded.revision} of '${recorded.stream}' has schema ${schema[1]}; this release reads up to ${EVENT_SCHEMA}: start a newer release`,
    );
  needKnownEvent(recorded.stream, recorded.revision, recorded.type);
  return { type: recorded.type, data: JSON.parse(recorded.data) } as E;
}
