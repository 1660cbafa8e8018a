import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { AppendOutcome, ExpectedRevision, NewEvent } from '@rondo/ports';
import { LIMIT } from './append.ts';
import { coalesce } from './coalesce.ts';
import type { History } from './history.ts';
import { Any, Empty, pb, shared, Status } from './pb.ts';

type Call = ServerDuplexStream<BatchAppendReq, BatchAppendResp>;

interface Batch {
  options: BatchAppendReq.Options;
  readonly events: NewEvent[];
  bytes: number;
}

/** Many appends over one call, each told from the others by its correlation id; what an append is refused for ends only that one. */
export function batchAppend(history: History, call: Call): void {
  coalesce(call);
  const batches = new Map<string, Batch>();
  call.on('data', (request: BatchAppendReq) => {
    const id = request.getCorrelationId()!.getString();
    const options = request.getOptions();
    let batch = batches.get(id);
    if (batch === undefined) batches.set(id, (batch = { options: options!, events: [], bytes: 0 }));
    for (const message of request.getProposedMessagesList()) {
      const [data, meta] = [Buffer.from(message.getData_asU8()), Buffer.from(message.getCustomMetadata_asU8())];
      const type = message.getMetadataMap().get('type') ?? '';
      batch.bytes += data.length + meta.length + Buffer.byteLength(type) + 16;
      batch.events.push({
        id: message.getId()!.getString(),
        type,
        data: data.toString(),
        meta: meta.toString() || '{}',
      });
    }
    if (!request.getIsFinal()) return;
    batches.delete(id);
    const whole = batch;
    answer(history, whole).then(
      (response) => {
        response.setCorrelationId(request.getCorrelationId());
        response.setStreamIdentifier(whole.options.getStreamIdentifier());
        call.write(response);
      },
      // Not a word of one append: the node itself does not take any.
      (error: unknown) => call.emit('error', error),
    );
  });
  call.on('end', () => call.end());
  call.on('error', () => undefined);
}

async function answer(history: History, { options, events, bytes }: Batch): Promise<BatchAppendResp> {
  history.checkLeader();
  const stream = Buffer.from(options.getStreamIdentifier()!.getStreamName_asU8()).toString();
  if (bytes > LIMIT) {
    const tooLarge = new shared.MaximumAppendSizeExceeded();
    tooLarge.setMaxappendsize(LIMIT);
    return refused('MaximumAppendSizeExceeded', tooLarge.serializeBinary(), status.INVALID_ARGUMENT);
  }
  if (history.isDeleted(stream)) {
    const deleted = new shared.StreamDeleted();
    deleted.setStreamIdentifier(options.getStreamIdentifier());
    return refused('StreamDeleted', deleted.serializeBinary(), status.FAILED_PRECONDITION);
  }
  const written = await history.write(stream, expectedOf(options), events);
  if (!written.ok) return refused('WrongExpectedVersion', wrongVersion(options, written), status.FAILED_PRECONDITION);
  const [response, success] = [new pb.BatchAppendResp(), new pb.BatchAppendResp.Success()];
  const position = new shared.AllStreamPosition();
  position.setCommitPosition(String(written.position));
  position.setPreparePosition(String(written.position));
  success.setCurrentRevision(String(written.revision));
  success.setPosition(position);
  response.setSuccess(success);
  return response;
}

function refused(type: string, bytes: Uint8Array, code: status): BatchAppendResp {
  const [response, error, details] = [new pb.BatchAppendResp(), new Status(), new Any()];
  details.pack(bytes, `event_store.client.${type}`);
  error.setCode(code as never);
  error.setMessage(type);
  error.setDetails(details);
  response.setError(error);
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

function expectedOf(options: BatchAppendReq.Options): ExpectedRevision | 'exists' {
  if (options.hasStreamPosition()) return Number(options.getStreamPosition());
  if (options.hasNoStream()) return 'noStream';
  return options.hasStreamExists() ? 'exists' : 'any';
}
