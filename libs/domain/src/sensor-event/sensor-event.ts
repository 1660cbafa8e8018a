import { err, ok, type Json, type Result } from '@rondo/kernel';

/** An event from outside, as CloudEvents 1.0 says it. Beside the named attributes it may have extensions. */
export interface SensorEvent {
  /** With `source`, the event's identity: a repeat is the same event (I6). */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  /** RFC 3339. */
  readonly time?: string;
  readonly datacontenttype?: string;
  readonly dataschema?: string;
  readonly data?: Json;
  readonly [extension: string]: Json | undefined;
}

/** Event of `sensorEvents-{type}`. */
export interface SensorEventReceived {
  readonly type: 'SensorEventReceived';
  readonly data: SensorEvent;
}

/** What is wrong with an attribute. */
export interface EventFault {
  readonly name: string;
  readonly value?: Json;
  readonly allowed: string;
}

/** Bytes of JSON that an event may have, so that its record stays under the limit (I7). */
export const MAX_EVENT_BYTES = 48 * 1024;

const TEXTS = ['subject', 'time', 'datacontenttype', 'dataschema'] as const;
const isNamed = (name: string): boolean => ['id', 'source', 'type', ...TEXTS].includes(name);
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
// eslint-disable-next-line no-control-regex -- Control characters are what it looks for.
const CONTROL = /[\u0000-\u001f\u007f]/;

/** A structured CloudEvent; `specversion` may be left out. A refusal names each attribute that is not as it must be. */
export function readSensorEvent(given: unknown): Result<SensorEvent, readonly EventFault[]> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return err([{ name: '(event)', allowed: 'a CloudEvent: an object with id, source and type' }]);
  const { specversion, data, ...attributes } = given as Readonly<Record<string, Json | undefined>>;
  const faults: EventFault[] = [];
  const fault = (name: string, value: Json | undefined, allowed: string): void =>
    void faults.push({ name, ...(value === undefined ? {} : { value }), allowed });
  if (specversion !== undefined && specversion !== '1.0') fault('specversion', specversion, '"1.0"');
  for (const name of ['id', 'source', 'type'] as const)
    if (!isText(attributes[name], 500)) fault(name, attributes[name], 'a text of 1 to 500 characters on one line');
  for (const name of TEXTS)
    if (attributes[name] !== undefined && !isText(attributes[name], 1_000))
      fault(name, attributes[name], 'a text of 1 to 1000 characters on one line');
  const { time } = attributes;
  if (typeof time === 'string' && (!TIME.test(time) || Number.isNaN(Date.parse(time))))
    fault('time', time, 'an RFC 3339 time such as 2026-03-14T07:30:00Z');
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || isNamed(name)) continue;
    if (name === 'data_base64') fault(name, undefined, '`data` with JSON: binary data is not taken');
    else if (!/^[a-z0-9]{1,50}$/.test(name))
      fault(name, undefined, 'attributes of 1 to 50 lower-case letters and digits');
    else if (!['string', 'number', 'boolean'].includes(typeof value))
      fault(name, value, 'a text, a number or a boolean');
  }
  if (faults.length > 0) return err(faults);
  const event = { ...attributes, ...(data === undefined ? {} : { data }) } as SensorEvent;
  const bytes = bytesOf(JSON.stringify(event));
  if (bytes > MAX_EVENT_BYTES)
    return err([
      { name: 'data', allowed: `an event of at most ${MAX_EVENT_BYTES} bytes of JSON: this one has ${bytes}` },
    ]);
  return ok(event);
}

const isText = (value: unknown, most: number): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= most && !CONTROL.test(value);

/** Bytes of the text as UTF-8. */
function bytesOf(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // A pair of surrogates takes four bytes: two for each.
    if (code >= 0x80) bytes += code >= 0x800 && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}
