import type { AssetEvent, DagEvent, DagRunEvent } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type { PlaceKind } from './tokens.ts';

export interface Place {
  /** `*`: every field, every item. */
  readonly path: readonly string[];
  readonly kind: PlaceKind;
}

const at = (kind: PlaceKind, ...paths: readonly string[]): readonly Place[] =>
  paths.map((path) => ({ path: path.split('.'), kind }));

const xcoms = at('json', 'xcoms.*.value');
const rendered = at('json', 'rendered');
const name = at('text', 'name');
const reason = at('text', 'reason');
const note = at('text', 'note');
const conf = at('json', 'conf');
const error = [...at('text', 'error.message', 'error.stack'), ...at('lines', 'error.logTail')];
const wait = [
  ...at('json', 'waitFor.args', 'waitFor.filter', 'waitFor.request.conf'),
  ...at('text', 'waitFor.subject', 'waitFor.body'),
  ...at('record', 'waitFor.params'),
];

type SealedType = DagRunEvent['type'] | DagEvent['type'] | AssetEvent['type'];

/**
 * What people, or the code of authors, have put into an event of a run (I14). All else is what is decided by: names, states,
 * times, lengths, and stays in clear.
 */
const PLACES: { readonly [Type in SealedType]?: readonly Place[] } = {
  RunRequested: [...conf, ...note],
  RunNoted: note,
  RunStarted: conf,
  TaskSucceeded: [...xcoms, ...rendered, ...name, ...at('json', 'assets.*.extra')],
  TaskFailed: [...xcoms, ...rendered, ...name, ...error],
  TaskRetryScheduled: [...xcoms, ...rendered, ...name, ...error],
  TaskDeferred: [...xcoms, ...wait],
  TaskResumed: at('json', 'payload.value'),
  TaskSkipped: [...reason, ...name],
  TaskLost: reason,
  TaskAttemptClosed: reason,
  TaskNoted: note,
  ApprovalResponded: [...at('lines', 'response.chosenOptions'), ...at('json', 'response.params')],
  PastConditionsAnswered: error,
  CallbackReported: error,
  XComSet: at('json', 'value.value'),
  AssetUpdated: at('json', 'extra'),
};

export function placesOf(type: string): readonly Place[] {
  return (PLACES as Readonly<Record<string, readonly Place[] | undefined>>)[type] ?? [];
}

/** Puts `change` in the place of each value that is there. In place: the data is the caller's own. */
export function changePlaces(
  type: string,
  data: unknown,
  change: (value: Json, kind: PlaceKind, path: string) => Json,
): void {
  for (const { path, kind } of placesOf(type)) walk(data, path, 0, '', (value, found) => change(value, kind, found));
}

function walk(
  holder: unknown,
  path: readonly string[],
  depth: number,
  found: string,
  change: (value: Json, path: string) => Json,
): void {
  if (typeof holder !== 'object' || holder === null) return;
  const fields = holder as Record<string, unknown>;
  const step = path[depth]!;
  for (const key of step === '*' ? Object.keys(fields) : [step]) {
    const value = fields[key];
    if (value === undefined || !Object.hasOwn(fields, key)) continue;
    const here = found === '' ? key : `${found}.${key}`;
    if (depth < path.length - 1) walk(value, path, depth + 1, here, change);
    // What is not there needs no seal.
    else if (value !== null) set(fields, key, change(value as Json, here));
  }
}

/** A key may be `__proto__`: an XCom's is the author's. */
function set(fields: Record<string, unknown>, key: string, value: Json): void {
  Object.defineProperty(fields, key, { value, writable: true, enumerable: true, configurable: true });
}
