import type { Json } from '@rondo/kernel';
import type { Page } from '@rondo/ports';
import { z } from 'zod';

export const pageFields = {
  offset: z.number().int().min(0).default(0).meta({ description: 'How many to pass over.' }),
  limit: z.number().int().min(1).max(1000).default(50).meta({ description: 'How many to answer at most.' }),
};

export const afterField = {
  after: z.number().int().min(0).optional().meta({
    description:
      'A position, as in the Rondo-Position header of an earlier answer: waits until the answer includes it.',
  }),
};

export const asOfField = {
  asOf: z
    .string()
    .regex(/^(\d+|\d{4}-\d\d-\d\d([T ].*)?)$/, 'a position of the history, or an ISO 8601 time')
    .optional()
    .meta({
      description: 'A position of the history, or an ISO 8601 time: answers from the history up to there.',
      example: '2026-03-14T07:30:00Z',
    }),
};

/** Text to epoch milliseconds: ISO 8601 with or without a zone (then UTC), or the number itself. */
export const instantText = z
  .string()
  .transform((text, context) => {
    const parsed = instantOf(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({
      code: 'custom',
      message: 'an ISO 8601 time such as 2026-03-14T07:30:00Z, or epoch milliseconds',
    });
    return z.NEVER;
  })
  .meta({ description: 'An ISO 8601 time, or epoch milliseconds.' });

export function instantOf(text: string): number | undefined {
  if (/^-?\d{5,}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return undefined;
  const zoned = !text.includes('T') || /(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`;
  const at = Date.parse(zoned);
  return Number.isNaN(at) ? undefined : at;
}

/** What has been parsed from JSON is JSON. */
export const json = z.unknown().meta({ description: 'Any JSON value.' }) as unknown as z.ZodType<Json>;
export const epochMs = z.number().int().meta({ description: 'Epoch milliseconds.' });
export const runIdText = z.string().regex(/^[A-Za-z0-9_.~:+-]{1,250}$/, '1 to 250 letters, digits and _ . ~ : + -');
export const mapIndexText = z
  .string()
  .regex(/^(\d+(\.\d+)*)?$/, "'' for a task that is not mapped, else like '3' or '2.5'");

export function pagedOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    total: z.number().int().meta({ description: 'How many there are in all.' }),
  });
}

export function pageOf(query: Page): Page {
  return { offset: query.offset, limit: query.limit };
}

export const dagParams = z.object({ dagId: z.string().min(1).max(250) });
export const runParams = dagParams.extend({ runId: z.string().min(1).max(300) });
export const taskParams = runParams.extend({ taskId: z.string().min(1).max(250) });

export const importedSchema = z.object({ imported: z.number().int() }).meta({ id: 'Imported' });
