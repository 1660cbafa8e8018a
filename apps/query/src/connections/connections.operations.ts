import type { ConnectionRow } from '@rondo/ports';
import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { afterField, importedSchema, json, pagedOf, pageFields } from '../http/schemas.ts';

const tag = 'connections';
const idText = z.string().regex(/^[\w.:@+-]{1,200}$/, '1 to 200 letters, digits and _ . : @ + -');
const idParams = z.object({ connId: idText });

export const connectionSchema = z
  .object({
    connId: z.string(),
    connType: z.string(),
    host: z.string().nullable(),
    port: z.number().int().nullable(),
    schema: z.string().nullable(),
    login: z.string().nullable(),
    description: z.string().nullable(),
  })
  .meta({
    id: 'Connection',
    description: 'Without its password and extras, which are never answered.',
  }) satisfies z.ZodType<Omit<ConnectionRow, 'sealed'>>;

const text = z.string().max(1_000);
/** Null, as an answer has it, is as good as leaving it out. */
const content = {
  connType: z.string().regex(/^[\w.+-]{1,100}$/, '1 to 100 letters, digits and _ . + -'),
  host: text.nullable().optional(),
  port: z.number().int().min(1).max(65_535).nullable().optional(),
  schema: text.nullable().optional(),
  login: text.nullable().optional(),
  description: text.nullable().optional(),
  password: z.string().nullable().optional().meta({ description: 'Left out: as it was. Null: none.' }),
  extra: z.record(z.string(), json).nullable().optional().meta({ description: 'Left out: as it was. Null: none.' }),
};

export const listConnections = {
  id: 'listConnections',
  method: 'get',
  path: '/connections',
  tag,
  summary: 'List connections',
  action: 'read',
  query: z.strictObject({ ...pageFields, ...afterField }),
  answer: pagedOf(connectionSchema),
} as const satisfies Operation;

export const getConnection = {
  id: 'getConnection',
  method: 'get',
  path: '/connections/{connId}',
  tag,
  summary: 'Get a connection',
  action: 'read',
  params: idParams,
  query: z.strictObject({ ...afterField }),
  answer: connectionSchema,
  refusals: [404],
} as const satisfies Operation;

export const createConnection = {
  id: 'createConnection',
  method: 'post',
  path: '/connections',
  tag,
  summary: 'Create a connection',
  action: 'administer',
  body: z.strictObject({ connId: idText, ...content }).meta({ id: 'NewConnection' }),
  status: 201,
  answer: connectionSchema,
  refusals: [409, 422],
} as const satisfies Operation;

export const putConnection = {
  id: 'putConnection',
  method: 'put',
  path: '/connections/{connId}',
  tag,
  summary: 'Set a connection',
  action: 'administer',
  params: idParams,
  body: z.strictObject(content).meta({ id: 'ConnectionContent' }),
  answer: connectionSchema,
  refusals: [409, 422],
} as const satisfies Operation;

export const deleteConnection = {
  id: 'deleteConnection',
  method: 'delete',
  path: '/connections/{connId}',
  tag,
  summary: 'Delete a connection',
  action: 'administer',
  params: idParams,
  status: 204,
  refusals: [404, 409],
} as const satisfies Operation;

export const importConnections = {
  id: 'importConnections',
  method: 'post',
  path: '/import/connections',
  tag,
  summary: 'Set many connections',
  description:
    'Each is a URI such as `postgres://login:password@host:5432/schema?key=value`, or an object with `conn_type`, `host`, `port`, `schema`, `login`, `password`, `extra`, `description`. One that is neither refuses all.',
  action: 'administer',
  body: z.strictObject({ connections: z.record(idText, json) }).meta({ id: 'ConnectionsById' }),
  answer: importedSchema,
  refusals: [409, 422],
} as const satisfies Operation;

export const CONNECTION_OPERATIONS: readonly Operation[] = [
  listConnections,
  getConnection,
  createConnection,
  putConnection,
  deleteConnection,
  importConnections,
];
