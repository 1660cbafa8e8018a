import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import { Fields } from '@rondo/adapter-eventstoredb';
import type { AppendOutcome, ExpectedRevision, NewEvent } from '@rondo/ports';
import { LIMIT } from './append.ts';
import { coalesce } from './coalesce.ts';
import { writtenResponse } from './encode.ts';
import type { History } from './history.ts';
import { Any, Empty, pb, shared, Status } from './pb.ts';

const EMPTY = Buffer.alloc(0);

/** The requests come as bytes, and what is sent may be bytes already. */
type Call = ServerDuplexStream<Buffer, BatchAppendResp | Buffer>;

interface Batch {
  readonly id: string;
  readonly options: Buffer;
  readonly events: NewEvent[];
  bytes: number;
}

/** Many appends over one call, each told from the others by its correlation id; what an append is refused for ends only that one. */
export function batchAppend(history: History, call: Call): void {
  coalesce(call);
  const batches = new Map<string, Batch>();
  call.on('data', (request: Buffer) => {
    const whole = wholeOf(batches, request);
    if (whole === undefined) return;
    answer(history, whole).then(
      (response) => call.write(response),
      // Not a word of one append: the node itself does not take any.
      (error: unknown) => call.emit('error', error),
    );
  });
  call.on('end', () => call.end());
  call.on('error', () => undefined);
}

/** The append that ends with this request, all of it; undefined: there is more to come. */
function wholeOf(batches: Map<string, Batch>, request: Buffer): Batch | undefined {
  const fields = new Fields(request);
  let [id, options, isFinal]: [string, Buffer, boolean] = ['', EMPTY, false];
  const [events, sizes]: [NewEvent[], number[]] = [[], []];
  while (fields.next())
    if (fields.field === 1) id = textIn(fields.inner, 2);
    else if (fields.field === 2) options = fields.bytes;
    else if (fields.field === 3) sizes.push(proposedIn(fields.inner, events));
    else if (fields.field === 4) isFinal = fields.value === 1;
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const begun = batches.get(id);
  const batch = begun ?? { id, options, events, bytes };
  if (begun !== undefined) {
    begun.events.push(...events);
    begun.bytes += bytes;
  }
  if (isFinal) batches.delete(id);
  else batches.set(id, batch);
  return isFinal ? batch : undefined;
}

/** Adds the event to the others; answers its bytes as the server counts them. */
function proposedIn(fields: Fields, events: NewEvent[]): number {
  let [id, type, data, meta] = ['', '', '', ''];
  while (fields.next())
    if (fields.field === 1) id = textIn(fields.inner, 2);
    else if (fields.field === 2) {
      const { inner } = fields;
      if (textIn(inner, 1) === 'type') type = textIn(inner, 2);
    } else if (fields.field === 3) meta = fields.text;
    else if (fields.field === 4) data = fields.text;
  events.push({ id, type, data, meta: meta || '{}' });
  return Buffer.byteLength(data) + Buffer.byteLength(meta) + Buffer.byteLength(type) + 16;
}

function textIn(fields: Fields, field: number): string {
  while (fields.next()) if (fields.field === field) return fields.text;
  return '';
}

/** Stream and expected revision. */
function optionsIn(bytes: Buffer): readonly [stream: string, expected: ExpectedRevision | 'exists'] {
  const fields = new Fields(bytes);
  let [stream, expected]: [string, ExpectedRevision | 'exists'] = ['', 'any'];
  while (fields.next())
    if (fields.field === 1) stream = textIn(fields.inner, 3);
    else if (fields.field === 2) expected = fields.value;
    else if (fields.field === 3) expected = 'noStream';
    else if (fields.field === 5) expected = 'exists';
  return [stream, expected];
}

async function answer(history: History, batch: Batch): Promise<BatchAppendResp | Buffer> {
  history.checkLeader();
  const [stream, expected] = optionsIn(batch.options);
  if (batch.bytes > LIMIT) {
    const tooLarge = new shared.MaximumAppendSizeExceeded();
    tooLarge.setMaxappendsize(LIMIT);
    return refused(batch, 'MaximumAppendSizeExceeded', tooLarge.serializeBinary(), status.INVALID_ARGUMENT);
  }
  if (history.isDeleted(stream)) {
    const deleted = new shared.StreamDeleted();
    deleted.setStreamIdentifier(askedIn(batch).getStreamIdentifier());
    return refused(batch, 'StreamDeleted', deleted.serializeBinary(), status.FAILED_PRECONDITION);
  }
  const written = await history.write(stream, expected, batch.events);
  if (written.ok) return writtenResponse(batch.id, stream, written.revision, written.position);
  const wrong = wrongVersion(askedIn(batch), written);
  return refused(batch, 'WrongExpectedVersion', wrong, status.FAILED_PRECONDITION);
}

const askedIn = ({ options }: Batch): BatchAppendReq.Options => pb.BatchAppendReq.Options.deserializeBinary(options);

function refused(batch: Batch, type: string, bytes: Uint8Array, code: status): BatchAppendResp {
  const [response, error, details] = [new pb.BatchAppendResp(), new Status(), new Any()];
  details.pack(bytes, `event_store.client.${type}`);
  error.setCode(code as never);
  error.setMessage(type);
  error.setDetails(details);
  response.setError(error);
  const id = new shared.UUID();
  id.setString(batch.id);
  response.setCorrelationId(id);
  response.setStreamIdentifier(askedIn(batch).getStreamIdentifier());
  return response;
}

function wrongVersion(
  options: BatchAppendReq.Options,
  { actual }: Extract<AppendOutcome, { readonly ok: false }>,
): Uint8Array {
  const wrong = new shared.WrongExpectedVersion();
  if (actual < 0) wrong.setCurrentNoStream(new Empty());
  else wrong.setCurrentStreamRevision(String(actual));
  if (options.hasStreamPosition()) wrong.setExpectedStreamPosition(options.getStreamPosition());
  else if (options.hasNoStream()) wrong.setExpectedNoStream(new Empty());
  else if (options.hasStreamExists()) wrong.setExpectedStreamExists(new Empty());
  else wrong.setExpectedAny(new Empty());
  return wrong.serializeBinary();
}
