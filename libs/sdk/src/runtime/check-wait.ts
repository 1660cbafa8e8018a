import { compileFilter } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import * as z from 'zod';
import { problems } from '../authoring/attributes.ts';
import { show } from '../authoring/error.ts';
import { jsonOf } from '../authoring/json.ts';
import type { Wait } from './task-context.ts';

/** I7: a wait stands in an event of the run. */
const MAX_WAIT_BYTES = 32 * 1024;

const text = z.string().min(1).describe('a text');
const texts = z.array(text).describe('a list of texts');
const millis = z.number().describe('epoch milliseconds');
const filter = z
  .unknown()
  .superRefine((value, ctx) => {
    const compiled = compileFilter(value as Json | undefined);
    if (!compiled.ok) ctx.addIssue({ code: 'custom', message: compiled.error, params: { whole: true } });
  })
  .optional();

/** What a wait that the platform answers is made of, by its kind. */
const SCHEMAS: { readonly [Kind in Wait['kind']]: z.ZodObject } = {
  time: z.strictObject({ kind: z.string(), until: millis }),
  event: z.strictObject({
    kind: z.string(),
    eventType: text,
    source: text.optional(),
    subject: text.optional(),
    filter,
    lookBackFrom: millis,
    count: z.int().min(1).max(1_000).describe('a whole number from 1 to 1000').optional(),
  }),
  run: z.strictObject({
    kind: z.string(),
    dagId: text,
    runId: text.optional(),
    logicalDate: millis.optional(),
    taskIds: texts.optional(),
    groupIds: texts.optional(),
    allowedStates: texts,
    failedStates: texts,
    skippedStates: texts.optional(),
    checkExistence: z.literal(true).describe('true').optional(),
  }),
  asset: z.strictObject({ kind: z.string(), name: text.optional(), uri: text.optional(), lookBackFrom: millis }),
  approval: z.strictObject({
    kind: z.string(),
    subject: text,
    body: z.string().describe('a text').optional(),
    options: texts.min(1).describe('a list of at least one text'),
    multiple: z.boolean().describe('true or false'),
    defaults: texts.optional(),
    params: z.record(z.string(), z.unknown()).describe('an object of params').optional(),
    assignees: texts.optional(),
  }),
};

/** Throws a TypeError for a wait that is none, that is too large, or that holds a secret, which the history must not. */
export function checkWait(wait: Wait, mask: ((text: string) => string) | undefined): void {
  const schema = Object.hasOwn(SCHEMAS, wait.kind) ? SCHEMAS[wait.kind] : undefined;
  if (schema === undefined)
    throw new TypeError(`the wait's kind is ${show(wait.kind)}; allowed: ${Object.keys(SCHEMAS).join(', ')}`);
  const parsed = schema.safeParse(wait);
  if (!parsed.success) throw new TypeError(`wait: ${problems(parsed.error, wait, schema).join('; ')}`);
  const json = jsonOf(wait);
  if (!json.ok) throw new TypeError(`wait: ${json.error}`);
  const written = JSON.stringify(json.value);
  const bytes = Buffer.byteLength(written);
  if (bytes > MAX_WAIT_BYTES) throw new TypeError(`the wait has ${bytes} bytes; allowed: ${MAX_WAIT_BYTES}`);
  if (mask !== undefined && mask(written) !== written)
    throw new TypeError('the wait holds a secret; allowed: what may stand in the history');
}
