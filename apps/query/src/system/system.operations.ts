import type { ImportErrorRow } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { afterField, epochMs, pagedOf } from '../http/schemas.ts';

const tag = 'platform';

export const getHealth = {
  id: 'getHealth',
  method: 'get',
  path: '/health',
  tag,
  summary: 'Tell how the platform is doing',
  description: 'Status 503 when a component fails.',
  action: 'read',
  answer: z
    .object({
      status: z.enum(['ok', 'failing']),
      components: z.record(
        z.string(),
        z.object({ status: z.enum(['ok', 'failing']), detail: z.string().exactOptional() }),
      ),
    })
    .meta({ id: 'Health' }),
} as const satisfies Operation;

export const getVersion = {
  id: 'getVersion',
  method: 'get',
  path: '/version',
  tag,
  summary: 'Tell the release',
  action: 'read',
  answer: z.object({ name: z.literal('rondo'), version: z.string() }).meta({ id: 'Release' }),
} as const satisfies Operation;

export const getDocument = {
  id: 'getDocument',
  method: 'get',
  path: '/openapi.json',
  tag,
  summary: 'Get this document',
  action: 'read',
  answer: z.looseObject({ openapi: z.string() }).meta({ id: 'Document' }),
} as const satisfies Operation;

const importErrorSchema = z
  .object({
    file: z.string(),
    message: z.string(),
    line: z.number().int().nullable(),
    column: z.number().int().nullable(),
    dagId: z.string().nullable(),
    taskId: z.string().nullable(),
    stack: z.string().nullable(),
    at: epochMs,
  })
  .meta({ id: 'ImportError' }) satisfies z.ZodType<ImportErrorRow>;

export const listImportErrors = {
  id: 'listImportErrors',
  method: 'get',
  path: '/import-errors',
  tag: 'dags',
  summary: 'List DAG files that do not load',
  action: 'read',
  query: z.strictObject({ ...afterField }),
  answer: pagedOf(importErrorSchema),
} as const satisfies Operation;

export const createBackup = {
  id: 'createBackup',
  method: 'post',
  path: '/backup',
  tag,
  summary: 'Write a backup of the data folder while the platform runs',
  action: 'administer',
  body: z
    .strictObject({
      path: z
        .string()
        .min(1)
        .max(4_096)
        .meta({ description: "Absolute path of a folder on the platform's machine that does not exist yet." }),
    })
    .meta({ id: 'NewBackup' }),
  status: 201,
  answer: z.object({ path: z.string(), position: z.number().int() }).meta({ id: 'Backup' }),
  refusals: [404, 422],
} as const satisfies Operation;

export const SYSTEM_OPERATIONS: readonly Operation[] = [
  getHealth,
  getVersion,
  getDocument,
  listImportErrors,
  createBackup,
];
