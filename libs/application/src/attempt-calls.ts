import type { Json } from '@rondo/kernel';
import type { AssetEventQuery, AttemptServices } from '@rondo/ports';

/** Calls of attempts as they travel: plain JSON, bytes as `{ base64 }`. */
export type AttemptCall = (attemptId: string, method: string, args: readonly Json[]) => Promise<Json | undefined>;

/** Serves a call that has come from an attempt: its arguments are what its client sends, or it is refused with an error. */
export async function serveAttemptCall(
  services: AttemptServices,
  attemptId: string,
  method: string,
  args: readonly unknown[],
): Promise<Json | undefined> {
  const [first] = args;
  switch (method) {
    case 'variable':
      return services.variable(attemptId, textOf(first));
    case 'connection':
      return json(services.connection(attemptId, textOf(first)));
    case 'xcom':
      return services.xcom(attemptId, first as Parameters<AttemptServices['xcom']>[1]);
    case 'xcomList':
      return json(services.xcomList(attemptId, first as Parameters<AttemptServices['xcomList']>[1]));
    case 'previousSuccess':
      return json(services.previousSuccess?.(attemptId));
    case 'assetEvents':
      return json(services.assetEvents?.(attemptId, first as AssetEventQuery));
    case 'putBlob':
      return services.putBlob(attemptId, bytesOf(first));
    case 'getBlob':
      return base64Of(await services.getBlob(attemptId, textOf(first)));
    case 'seal':
      return base64Of(await services.seal?.(attemptId, bytesOf(first)));
    case 'unseal':
      return base64Of(await services.unseal?.(attemptId, bytesOf(first)));
    default:
      throw new Error(`there is no service '${method}'`);
  }
}

/** The services as something else serves them: the other end of `serveAttemptCall`. */
export function calledServices(call: AttemptCall): AttemptServices {
  const ask = async <T>(attemptId: string, method: string, ...args: readonly unknown[]): Promise<T> =>
    (await call(attemptId, method, args as readonly Json[])) as T;
  return {
    variable: (id, key) => ask(id, 'variable', key),
    connection: (id, connId) => ask(id, 'connection', connId),
    xcom: (id, query) => ask(id, 'xcom', query),
    xcomList: (id, query) => ask(id, 'xcomList', query),
    previousSuccess: (id) => ask(id, 'previousSuccess'),
    assetEvents: async (id, query) => (await ask(id, 'assetEvents', query)) ?? [],
    putBlob: (id, bytes) => ask(id, 'putBlob', base64Of(bytes)),
    getBlob: async (id, hash) => {
      const found = await ask<unknown>(id, 'getBlob', hash);
      return found === undefined ? undefined : bytesOf(found);
    },
    seal: async (id, bytes) => bytesOf(await ask(id, 'seal', base64Of(bytes))),
    unseal: async (id, bytes) => bytesOf(await ask(id, 'unseal', base64Of(bytes))),
  };
}

/** Rows are JSON, though their types do not say so. */
async function json(value: Promise<unknown> | undefined): Promise<Json | undefined> {
  return (await value) as Json | undefined;
}

const bytesOf = (value: unknown): Uint8Array =>
  Buffer.from(textOf((value as { readonly base64?: unknown }).base64), 'base64');

const base64Of = (bytes: Uint8Array | undefined): { readonly base64: string } | undefined =>
  bytes === undefined ? undefined : { base64: Buffer.from(bytes).toString('base64') };

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`a text is expected, not ${JSON.stringify(value)}`);
  return value;
}
