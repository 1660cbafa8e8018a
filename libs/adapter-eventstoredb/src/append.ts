import {
  FORWARDS,
  MaxAppendSizeExceededError,
  StreamNotFoundError,
  WrongExpectedVersionError,
  type EventStoreDBClient,
} from '@eventstore/db-client';
import { eventHash, sealedMeta } from '@rondo/contracts';
import { AppendTooLargeError, type AppendOutcome, type AppendRequest, type RecordedEvent } from '@rondo/ports';
import { asPortError } from './errors.ts';
import { EMPTY, type Head, type Heads } from './heads.ts';
import { reading } from './reading.ts';
import { fromWire, revisionOf, sizeOf, toWire } from './wire.ts';

/** The server's own limit for one append. */
const LIMIT = 1_048_576;
type Written = Extract<AppendOutcome, { readonly ok: true }>;

/**
 * Writes requests with their exact revision, so that each event carries the hash of the one before (I13). What the server
 * answers of a request that was sent before is told from what stands there (I11).
 */
export class Appender {
  private readonly client: EventStoreDBClient;
  private readonly heads: Heads;

  constructor(client: EventStoreDBClient, heads: Heads) {
    this.client = client;
    this.heads = heads;
  }

  /** Refused whole, before anything of a chain is written. */
  static check(request: AppendRequest): void {
    const bytes = request.events.reduce((sum, event) => sum + sizeOf(event, sealedMeta(' '.repeat(43), event.meta)), 0);
    if (bytes > LIMIT)
      throw new AppendTooLargeError(
        `${request.events.length} events for '${request.stream}' have ${bytes} bytes; at most ${LIMIT} are allowed`,
      );
  }

  async append(request: AppendRequest): Promise<AppendOutcome> {
    const { stream, expected } = request;
    for (let tries = 0; ; tries++) {
      const known = this.heads.peek(stream);
      // A stream that is to be new is taken to be so: the server says when it is not.
      const isNew = expected === 'noStream' && tries === 0;
      const head = known ?? (isNew ? EMPTY : await this.heads.read(stream));
      const wanted = expected === 'any' ? head.revision : expected === 'noStream' ? -1 : expected;
      if (wanted !== head.revision) {
        // What is known may be old: the server is asked once.
        if (known !== undefined && tries === 0) {
          this.heads.forget(stream);
          continue;
        }
        return (await this.repeated(request, wanted)) ?? conflict(request, head.revision);
      }
      if (expected === 'any') {
        const repeat = await this.repeated(request, head.revision - request.events.length);
        if (repeat !== undefined) return repeat;
      }
      const outcome = await this.write(request, head);
      if (outcome !== undefined) return outcome;
      this.heads.forget(stream);
      if (tries > 0 && expected !== 'any') return conflict(request, (await this.heads.read(stream)).revision);
    }
  }

  /** Undefined: the stream ends elsewhere. */
  private async write({ stream, events }: AppendRequest, head: Head): Promise<Written | undefined> {
    let { revision, hash } = head;
    const sealed = events.map((event) => {
      const meta = sealedMeta(hash, event.meta);
      hash = eventHash(stream, ++revision, event.id, event.type, event.data, meta);
      return toWire(event, meta);
    });
    try {
      const answer = await this.client.appendToStream(stream, sealed, { expectedRevision: revisionOf(head.revision) });
      this.heads.set(stream, { revision, hash });
      if (answer.position === undefined) throw new Error(`the append to '${stream}' was answered without a position`);
      return { ok: true, revision, position: Number(answer.position.commit) };
    } catch (error) {
      if (error instanceof WrongExpectedVersionError) return undefined;
      this.heads.forget(stream);
      if (error instanceof MaxAppendSizeExceededError) throw new AppendTooLargeError(error.message);
      throw asPortError(error);
    }
  }

  /** The outcome of the first time, if exactly these events stand after the revision. */
  private async repeated({ stream, events }: AppendRequest, after: number): Promise<Written | undefined> {
    if (after < -1 || events.length === 0) return undefined;
    const standing: RecordedEvent[] = [];
    try {
      const options = {
        direction: FORWARDS,
        fromRevision: BigInt(after + 1),
        maxCount: events.length,
        requiresLeader: true,
      } as const;
      for await (const { event } of reading(this.client.readStream(stream, options)))
        if (event !== undefined) standing.push(fromWire(event));
    } catch (error) {
      if (error instanceof StreamNotFoundError) return undefined;
      throw asPortError(error);
    }
    const last = standing.at(-1);
    if (standing.length !== events.length || last === undefined) return undefined;
    if (!standing.every(({ id, revision }, at) => id === events[at]!.id && revision === after + 1 + at))
      return undefined;
    return { ok: true, revision: last.revision, position: last.position };
  }
}

const conflict = ({ stream, expected }: AppendRequest, actual: number): AppendOutcome => ({
  ok: false,
  reason: 'conflict',
  stream,
  expected,
  actual,
});
