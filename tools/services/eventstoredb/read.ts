import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { EmbeddedSubscriptions } from '@rondo/adapter-embedded';
import type { Position, RecordedEvent, StreamFilter } from '@rondo/ports';
import { refusal } from './append.ts';
import { coalesce } from './coalesce.ts';
import type { History } from './history.ts';
import { pb } from './pb.ts';

/** What is sent is encoded already where it is an event. */
type Call = ServerWritableStream<ReadReq, ReadResp | Buffer>;
const PAGE = 1_000;
/** Events that a subscription looks through before it tells how far it is, times the interval that is asked for: a real server's default. */
const SEARCH_WINDOW = 32;

/** What persistent subscriptions have laid aside: links, in a stream for each of them. */
export type Parked = Pick<EmbeddedSubscriptions, 'listParked'>;
const PARKED = /^\$persistentsubscription-\$all::(.+)-parked$/;

/** A read of a stream or of all, either way, or a subscription to all. */
export async function read(history: History, parked: Parked, call: Call): Promise<void> {
  coalesce(call);
  const options = call.request.getOptions()!;
  try {
    if (options.hasStream()) await readStream(history, parked, call, options);
    else if (options.hasSubscription()) return await subscribe(history, call, options);
    else await readAll(history, call, options);
    call.end();
  } catch (error) {
    call.emit('error', 'code' in (error as Error) ? error : refusal(status.INTERNAL, 'internal', String(error)));
  }
}

async function send(call: Call, response: ReadResp | Buffer): Promise<void> {
  if (call.cancelled || call.write(response)) return;
  const done = new AbortController();
  const { signal } = done;
  const either = [once(call, 'drain', { signal }), once(call, 'cancelled', { signal })];
  await Promise.race(either);
  done.abort();
  await Promise.allSettled(either);
}

async function readStream(history: History, parked: Parked, call: Call, options: ReadReq.Options): Promise<void> {
  const asked = options.getStream()!;
  if (options.hasSubscription())
    throw refusal(status.UNIMPLEMENTED, 'unimplemented', 'subscriptions to one stream are not served here');
  const name = asked.getStreamIdentifier()!;
  const stream = Buffer.from(name.getStreamName_asU8()).toString();
  const group = PARKED.exec(stream)?.[1];
  if (group !== undefined) return readParked(history, parked, call, group, options);
  if (history.isDeleted(stream))
    throw refusal(status.FAILED_PRECONDITION, 'stream-deleted', `Event stream '${stream}' is deleted.`, {
      'stream-name': stream,
    });
  const backwards = options.getReadDirection() === pb.ReadReq.Options.ReadDirection.BACKWARDS;
  const first = await history.firstOf(stream);
  const from = asked.hasRevision() ? Number(asked.getRevision()) : backwards ? undefined : 0;
  const limit = asked.hasEnd() && !backwards ? 0 : Number(options.getCount());
  const start = from === undefined ? {} : { from: backwards ? from : Math.max(from, first) };
  let isEmpty = true;
  for await (const page of history.store.readStream(stream, { backwards, limit, ...start }))
    for (const event of page) {
      if (event.revision < first || call.cancelled) return;
      isEmpty = false;
      await send(call, history.encoded(event));
    }
  if (!isEmpty || (await history.headOf(stream)) >= 0) return;
  const [response, missing] = [new pb.ReadResp(), new pb.ReadResp.StreamNotFound()];
  missing.setStreamIdentifier(name);
  response.setStreamNotFound(missing);
  await send(call, response);
}

async function readParked(
  history: History,
  parked: Parked,
  call: Call,
  group: string,
  options: ReadReq.Options,
): Promise<void> {
  if (!options.getResolveLinks())
    throw refusal(status.UNIMPLEMENTED, 'unimplemented', 'links are served here with what they lead to alone');
  for (const { stream, revision } of await parked.listParked(group, { offset: 0, limit: Number(options.getCount()) }))
    for await (const page of history.store.readStream(stream, { from: revision, limit: 1 }))
      for (const event of page) await send(call, history.encoded(event));
}

async function readAll(history: History, call: Call, options: ReadReq.Options): Promise<void> {
  const backwards = options.getReadDirection() === pb.ReadReq.Options.ReadDirection.BACKWARDS;
  const all = options.getAll()!;
  let left = Number(options.getCount());
  const at = all.hasPosition() ? Number(all.getPosition()!.getCommitPosition()) : undefined;
  if (!backwards) {
    if (all.hasEnd()) return;
    // A read begins with the event at the position itself.
    for await (const page of history.store.readAll(at === undefined ? 0 : at - 1, { limit: left }))
      for (const event of page) {
        if (left-- <= 0 || call.cancelled) return;
        await send(call, history.encoded(event));
      }
    return;
  }
  for (let end = at ?? history.live.head; end > 0 && left > 0;) {
    const start = Math.max(0, end - Math.min(PAGE, left));
    for (const event of (await between(history, start, end)).toReversed()) {
      if (call.cancelled) return;
      await send(call, history.encoded(event));
    }
    left -= end - start;
    end = start;
  }
}

/** One event for each position; the last ones, which are asked for most, without asking the store. */
async function between(history: History, after: Position, upTo: Position): Promise<readonly RecordedEvent[]> {
  const kept = history.live.after(after)?.slice(0, upTo - after);
  if (kept?.length === upTo - after) return kept;
  const events: RecordedEvent[] = [];
  for await (const page of history.store.readAll(after, { upTo })) events.push(...page);
  return events;
}

async function subscribe(history: History, call: Call, options: ReadReq.Options): Promise<void> {
  const all = options.getAll()!;
  const head = history.live.head;
  const after = all.hasPosition() ? Number(all.getPosition()!.getCommitPosition()) : all.hasEnd() ? head : 0;
  const [response, confirmation] = [new pb.ReadResp(), new pb.ReadResp.SubscriptionConfirmation()];
  confirmation.setSubscriptionId(randomUUID());
  response.setConfirmation(confirmation);
  await send(call, response);
  const asked = options.getFilter();
  const filter = filterOf(asked);
  const interval = SEARCH_WINDOW * (asked?.getCheckpointintervalmultiplier() ?? 1);
  let [isLive, told] = [false, after];
  const live = async (): Promise<void> => {
    if (isLive || history.isSilent) return;
    isLive = true;
    const caughtUp = new pb.ReadResp();
    caughtUp.setCaughtUp(new pb.ReadResp.CaughtUp());
    await send(call, caughtUp);
  };
  const subscription = history.live.subscribe({
    name: 'wire',
    after,
    ...(filter === undefined ? {} : { filter }),
    onBatch: async (events, through) => {
      for (const event of events) await send(call, history.encoded(event));
      if (events.at(-1)?.position === through) told = through;
      else if (filter !== undefined && !history.isSilent && (!isLive || through - told >= interval)) {
        told = through;
        await send(call, checkpointOf(through));
      }
      if (through >= head) await live();
    },
    onDrop: (error) => call.emit('error', refusal(status.INTERNAL, 'internal', error.message)),
  });
  if (after >= head) await live();
  call.on('cancelled', () => void subscription.stop());
}

function filterOf(options: ReadReq.Options.FilterOptions | undefined): StreamFilter | undefined {
  if (options === undefined) return undefined;
  const [streams, types] = [options.getStreamIdentifier(), options.getEventType()];
  const [regex, prefixes] = [(streams ?? types)!.getRegex(), (streams ?? types)!.getPrefixList()];
  if (regex !== '') throw refusal(status.UNIMPLEMENTED, 'unimplemented', 'filters by expression are not served here');
  return streams === undefined ? { eventTypes: prefixes } : { streamPrefixes: prefixes };
}

function checkpointOf(position: Position): ReadResp {
  const [response, checkpoint] = [new pb.ReadResp(), new pb.ReadResp.Checkpoint()];
  checkpoint.setCommitPosition(String(position));
  checkpoint.setPreparePosition(String(position));
  response.setCheckpoint(checkpoint);
  return response;
}
