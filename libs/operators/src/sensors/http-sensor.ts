import { resolveConnection, Sensor, type Poked, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';
import { callable, requestShape, urlOrConnection, type HttpArgs } from '../http/http-operator.ts';
import { answerOf, send, type Answer } from '../http/request.ts';

export interface HttpSensorArgs extends Pick<HttpArgs, 'url' | 'connection' | 'method' | 'query' | 'headers' | 'body'> {
  /** Statuses from 400 on that mean "not yet"; any other fails. Default `[404]`. */
  readonly notYetStatuses?: readonly number[];
  /** What the answer means. Default: it is there when its status is below 400. */
  readonly responseCheck?: (answer: Answer) => Poked | Promise<Poked>;
}

/** A body that nobody wants is read up to here, so that its connection can be used again. */
const DRAIN_BYTES = 65_536;

/** Asks by HTTP until the answer is what is waited for. Connections are kept open between the pokes of a process. */
export class HttpSensor extends Sensor<HttpSensorArgs, unknown> {
  static override readonly templateFields = ['url', 'connection', 'query', 'headers', 'body'];
  static override readonly schema = z
    .strictObject({
      ...requestShape,
      notYetStatuses: z.array(z.int().min(400).max(599)).describe('a list of statuses from 400 to 599').optional(),
      responseCheck: callable<NonNullable<HttpSensorArgs['responseCheck']>>().optional(),
    })
    .refine(urlOrConnection.check, urlOrConnection.message);

  async poke(ctx: TaskContext, args: HttpSensorArgs): Promise<Poked> {
    const { notYetStatuses = [404], responseCheck } = args;
    const connection = args.connection === undefined ? undefined : await resolveConnection(ctx, args.connection);
    const { url, response } = await send(ctx, args, connection);
    if (response.ok && responseCheck !== undefined) return responseCheck(await answerOf(response));
    if (response.ok || notYetStatuses.includes(response.status)) {
      await drain(response);
      return response.ok;
    }
    const text = await response.text();
    throw new Error(
      `${url.origin}${url.pathname} answered ${response.status} ${response.statusText}: ${text.slice(0, 500)}`,
    );
  }
}

async function drain({ body, headers }: Response): Promise<void> {
  if (body === null) return;
  if (Number(headers.get('content-length') ?? 0) > DRAIN_BYTES) return body.cancel();
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > DRAIN_BYTES) return;
  }
}
