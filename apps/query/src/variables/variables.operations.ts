import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { afterField, importedSchema, json, pagedOf, pageFields } from '../http/schemas.ts';

const tag = 'variables';
const keyText = z.string().regex(/^[\w.:/@+-]{1,250}$/, '1 to 250 letters, digits and _ . : / @ + -');
const keyParams = z.object({ key: keyText });

export const variableSchema = z
  .object({
    key: z.string(),
    value: z.string().meta({
      description: '`***` for a key that sounds secret, and in JSON under such keys, unless `reveal` is asked for.',
    }),
    masked: z.boolean(),
    description: z.string().nullable(),
  })
  .meta({ id: 'Variable' });

const content = {
  value: z.string(),
  description: z.string().max(1_000).optional(),
};

export const listVariables = {
  id: 'listVariables',
  method: 'get',
  path: '/variables',
  tag,
  summary: 'List variables',
  action: 'read',
  query: z.strictObject({ ...pageFields, ...afterField }),
  answer: pagedOf(variableSchema),
} as const satisfies Operation;

export const getVariable = {
  id: 'getVariable',
  method: 'get',
  path: '/variables/{key}',
  tag,
  summary: 'Get a variable',
  action: 'administer',
  params: keyParams,
  query: z.strictObject({
    reveal: z.boolean().default(false).meta({ description: 'Show the value even if the key sounds secret.' }),
    ...afterField,
  }),
  answer: variableSchema,
  refusals: [404],
} as const satisfies Operation;

export const createVariable = {
  id: 'createVariable',
  method: 'post',
  path: '/variables',
  tag,
  summary: 'Create a variable',
  action: 'administer',
  body: z.strictObject({ key: keyText, ...content }).meta({ id: 'NewVariable' }),
  status: 201,
  answer: variableSchema,
  refusals: [409, 422],
} as const satisfies Operation;

export const putVariable = {
  id: 'putVariable',
  method: 'put',
  path: '/variables/{key}',
  tag,
  summary: 'Set a variable',
  action: 'administer',
  params: keyParams,
  body: z.strictObject(content).meta({ id: 'VariableContent' }),
  answer: variableSchema,
  refusals: [409, 422],
} as const satisfies Operation;

export const deleteVariable = {
  id: 'deleteVariable',
  method: 'delete',
  path: '/variables/{key}',
  tag,
  summary: 'Delete a variable',
  action: 'administer',
  params: keyParams,
  status: 204,
  refusals: [404, 409],
} as const satisfies Operation;

export const importVariables = {
  id: 'importVariables',
  method: 'post',
  path: '/import/variables',
  tag,
  summary: 'Set many variables',
  description:
    'What is no text is kept as JSON. They are set one after the other: a refusal leaves those before it set.',
  action: 'administer',
  body: z.strictObject({ variables: z.record(keyText, json) }).meta({ id: 'VariablesByKey' }),
  answer: importedSchema,
  refusals: [409, 422],
} as const satisfies Operation;

export const exportVariables = {
  id: 'exportVariables',
  method: 'get',
  path: '/export/variables',
  tag,
  summary: 'Get the values of all variables, in clear',
  action: 'administer',
  query: z.strictObject({ ...afterField }),
  answer: z.record(z.string(), z.string()),
} as const satisfies Operation;

export const VARIABLE_OPERATIONS: readonly Operation[] = [
  listVariables,
  getVariable,
  createVariable,
  putVariable,
  deleteVariable,
  importVariables,
  exportVariables,
];
