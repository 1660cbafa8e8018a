import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi';
import type { Operation } from '../http/operation.ts';
import { PROBLEM_MEDIA } from '../http/problem.filter.ts';
import { OPERATIONS } from './operations.ts';

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string(),
    errors: z
      .array(
        z.object({
          in: z.enum(['path', 'query', 'header', 'body']),
          name: z.string(),
          value: z.unknown().optional(),
          message: z.string(),
          allowed: z.string().optional(),
        }),
      )
      .optional(),
  })
  .meta({
    id: 'Problem',
    description:
      'A problem as RFC 9457 has it; `errors` names each parameter that is wrong, its value and what is allowed.',
  });

const TAGS: Readonly<Record<string, string>> = {
  dags: 'DAGs, their versions, source and timetables',
  runs: 'Runs of DAGs and their histories',
  'task instances': 'Task instances, their tries, logs, XComs and rendered fields',
  events: 'Changes of state, live, and events from outside',
  approvals: 'What tasks ask of people, and the answers',
  variables: 'Variables, stored encrypted',
  connections: 'Connections, stored encrypted',
  pools: 'Pools: slots that tasks share',
  platform: 'The platform itself',
};

const positionHeader = z.string().meta({
  description: 'The position of the history that the answer includes: pass it on as `after` to read your own writes.',
});
const keyHeader = z
  .string()
  .max(200)
  .optional()
  .meta({ description: 'A repeat with the same key gets the answer of the first, which is carried out once.' });

/** The OpenAPI 3.1 document, of the schemas that validate the requests. */
export function openApiDocument(version: string): object {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const operation of OPERATIONS) (paths[operation.path] ??= {})[operation.method] = operationObject(operation);
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Rondo',
      version,
      description: 'A workflow orchestrator whose history is the database. Times are epoch milliseconds.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/api/v1', description: 'This platform' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    // This machine needs no token; everybody else does.
    security: [{}, { token: [] }],
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    paths: paths as ZodOpenApiPathsObject,
  });
}

function operationObject(operation: Operation): ZodOpenApiOperationObject {
  const { id, tag, summary, description, params, query, body, method } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    requestParams: {
      ...(params === undefined ? {} : { path: params }),
      ...(query === undefined ? {} : { query }),
      ...(method === 'post' ? { header: z.object({ 'Idempotency-Key': keyHeader }) } : {}),
    },
    ...(body === undefined ? {} : { requestBody: { content: { 'application/json': { schema: body } } } }),
    responses: responsesOf(operation),
  };
}

function responsesOf({
  answer,
  status = 200,
  media = ['application/json'],
  refusals = [],
}: Operation): ZodOpenApiResponsesObject {
  const content =
    answer === undefined
      ? undefined
      : Object.fromEntries(media.map((type) => [type, { schema: type === 'application/json' ? answer : z.string() }]));
  const done = {
    description: STATUS_CODES[status] ?? 'Done',
    headers: z.object({ 'Rondo-Position': positionHeader.optional() }),
    ...(content === undefined ? {} : { content }),
  };
  const refused = [400, 401, 403, ...refusals, 503].map((code) => [
    String(code),
    { description: STATUS_CODES[code] ?? 'Refused', content: { [PROBLEM_MEDIA]: { schema: problemSchema } } },
  ]);
  return { [String(status)]: done, ...Object.fromEntries(refused) } as ZodOpenApiResponsesObject;
}
