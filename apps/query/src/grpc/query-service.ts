import {
  Metadata,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { INestApplicationContext } from '@nestjs/common';
import type { Actor } from '@rondo/contracts';
import type { ReadModels } from '@rondo/ports';
import { streamEvents } from '../events/events.operations.ts';
import { Definitions } from '../history/definitions.ts';
import { RunHistory } from '../history/run-history.ts';
import type { Authorize } from '../http/authorize.ts';
import { doorkeeper, type DoorOptions } from '../http/door.ts';
import { RememberedAnswers } from '../http/idempotency.ts';
import { resourceOf, type Operation } from '../http/operation.ts';
import { Positioned } from '../http/position.ts';
import { HttpProblem } from '../http/problem.ts';
import { AUTHORIZE, DOOR, EVENT_STORE, READ_MODELS } from '../options.ts';
import { getRun } from '../runs/runs.operations.ts';
import { callFor, CALLS } from './calls.ts';
import { errorOf } from './errors.ts';
import { inputOf, messageOf, saidIn } from './messages.ts';
import { watchRun } from './watch.ts';

type Fields = Readonly<Record<string, unknown>>;
type UnaryCall = ServerUnaryCall<Fields, unknown>;
type AnyCall = Pick<UnaryCall, 'metadata' | 'getPeer' | 'getHost' | 'getDeadline' | 'cancelled'>;

/** How long a read waits at most for the position that it asks for. Milliseconds. */
const SETTLE_MS = 10_000;

/** The service `rondo.v1.Query` over the controllers of an application that imports QueryModule. */
export class QueryService {
  readonly implementation: UntypedServiceImplementation;
  private readonly app: INestApplicationContext;
  private readonly admit: ReturnType<typeof doorkeeper>;
  private readonly authorize: Authorize;
  private readonly readModels: ReadModels;
  private readonly remembered = new RememberedAnswers();
  private readonly watches = new Set<AbortController>();

  constructor(app: INestApplicationContext) {
    this.app = app;
    const get = <T>(token: symbol): T => app.get<T>(token, { strict: false });
    this.admit = doorkeeper(get<DoorOptions>(DOOR));
    this.authorize = get(AUTHORIZE);
    this.readModels = get(READ_MODELS);
    const unary = Object.keys(CALLS).map((method) => [
      method,
      (call: UnaryCall, answer: sendUnaryData<unknown>) => void this.answer(method, call, answer),
    ]);
    this.implementation = {
      ...Object.fromEntries(unary),
      WatchRun: (call: ServerWritableStream<Fields, unknown>) => void this.watch(call),
    };
  }

  /** Ends what is watched: a shutdown would wait for it for ever. */
  end(): void {
    for (const watch of this.watches) watch.abort();
  }

  private async answer(method: string, call: UnaryCall, answer: sendUnaryData<unknown>): Promise<void> {
    try {
      const result = await this.run(method, call);
      if (result instanceof Positioned) {
        const metadata = new Metadata();
        metadata.set('rondo-position', String(result.position));
        call.sendMetadata(metadata);
      }
      answer(null, messageOf(result instanceof Positioned ? result.body : result));
    } catch (error) {
      answer(errorOf(error, method));
    }
  }

  private async run(method: string, call: UnaryCall): Promise<unknown> {
    const actor = this.actorOf(call);
    const said = saidIn(call.request);
    const { operation, run } = callFor(method, said);
    this.check(operation, actor, said);
    const input = inputOf(operation, said);
    const { after } = (input.query ?? {}) as { readonly after?: number };
    if (after !== undefined) await this.settle(after, call);
    // Whoever asked has gone, or its time is up: nothing is begun that nobody waits for.
    if (call.cancelled) throw new HttpProblem(503, 'Cancelled', 'the call was cancelled before it began');
    const key = text(call.metadata, 'idempotency-key');
    const once = () => Promise.resolve(run(this.app, { ...input, actor, key } as never));
    if (operation.method !== 'post' || key === undefined) return once();
    return this.remembered.once(key, `${actor.name} ${method} ${JSON.stringify(input.params)}`, input.body, once);
  }

  private async watch(call: ServerWritableStream<Fields, unknown>): Promise<void> {
    const gone = new AbortController();
    this.watches.add(gone);
    let cancelled = false;
    call.on('cancelled', () => {
      cancelled = true;
      gone.abort();
    });
    try {
      const said = saidIn(call.request);
      this.check(streamEvents, this.actorOf(call), said);
      const { params, query } = inputOf(getRun, said);
      const { after } = query as { readonly after?: number };
      if (after !== undefined) await this.settle(after, call);
      const ports = {
        readModels: this.readModels,
        eventStore: this.app.get(EVENT_STORE, { strict: false }),
        history: this.app.get(RunHistory, { strict: false }),
        definitions: this.app.get(Definitions, { strict: false }),
      };
      await watchRun(ports, params as { readonly dagId: string; readonly runId: string }, call, gone.signal);
      if (gone.signal.aborted && !cancelled)
        call.emit('error', { code: status.UNAVAILABLE, details: 'the server stops: watch again elsewhere' });
      else call.end();
    } catch (error) {
      if (!cancelled) call.emit('error', errorOf(error, 'WatchRun'));
    } finally {
      this.watches.delete(gone);
    }
  }

  private actorOf(call: AnyCall): Actor {
    const peer = call.getPeer();
    return this.admit({
      authorization: text(call.metadata, 'authorization'),
      address: peer.slice(0, peer.lastIndexOf(':')).replaceAll(/[[\]]/g, ''),
      host: call.getHost(),
      forwarded: text(call.metadata, 'x-forwarded-for') !== undefined || text(call.metadata, 'forwarded') !== undefined,
    });
  }

  private check(operation: Operation, actor: Actor, said: Fields): void {
    const allowed = this.authorize(actor, operation.action, resourceOf(operation, said));
    if (!allowed.ok) throw new HttpProblem(403, 'Forbidden', allowed.error);
  }

  private settle(after: number, call: AnyCall): Promise<void> {
    const left = Number(call.getDeadline()) - Date.now();
    return this.readModels.settled(after, Math.max(1, Math.min(SETTLE_MS, left)));
  }
}

function text(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return value === undefined ? undefined : String(value);
}
