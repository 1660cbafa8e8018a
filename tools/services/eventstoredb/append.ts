import { Metadata, status, type sendUnaryData, type ServerReadableStream, type ServiceError } from '@grpc/grpc-js';
import type { AppendReq, AppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ExpectedRevision, NewEvent } from '@rondo/ports';
import { pb, shared } from './pb.ts';
import type { History } from './history.ts';

/** The limit of a real server, its default. */
export const LIMIT = 1_048_576;

export function refusal(
  code: number,
  exception: string,
  message: string,
  more: Record<string, string> = {},
): ServiceError {
  const metadata = new Metadata();
  metadata.set('exception', exception);
  for (const [key, value] of Object.entries(more)) metadata.set(key, value);
  return Object.assign(new Error(message), { code, details: message, metadata });
}

/** One append: its options, then its events. */
export function append(
  history: History,
  call: ServerReadableStream<AppendReq, AppendResp>,
  answer: sendUnaryData<AppendResp>,
): void {
  let options: AppendReq.Options | undefined;
  const events: NewEvent[] = [];
  let bytes = 0;
  call.on('data', (request: AppendReq) => {
    if (request.hasOptions()) options = request.getOptions();
    const message = request.getProposedMessage();
    if (message === undefined) return;
    const [data, meta] = [Buffer.from(message.getData_asU8()), Buffer.from(message.getCustomMetadata_asU8())];
    const type = message.getMetadataMap().get('type') ?? '';
    bytes += data.length + meta.length + Buffer.byteLength(type) + 16;
    events.push({ id: message.getId()!.getString(), type, data: data.toString(), meta: meta.toString() || '{}' });
  });
  call.on('end', () => {
    if (options === undefined)
      return answer(refusal(status.INVALID_ARGUMENT, 'invalid', 'an append begins with its options'));
    if (bytes > LIMIT)
      return answer(
        refusal(status.INVALID_ARGUMENT, 'maximum-append-size-exceeded', 'Maximum Append Size Exceeded.', {
          'maximum-append-size': String(LIMIT),
        }),
      );
    const stream = Buffer.from(options.getStreamIdentifier()!.getStreamName_asU8()).toString();
    write(history, stream, options, events).then(
      (response) => answer(null, response),
      (error: unknown) => answer(asRefusal(error)),
    );
  });
  call.on('error', () => undefined);
}

const asRefusal = (error: unknown): ServiceError =>
  error instanceof Error && 'code' in error
    ? (error as ServiceError)
    : refusal(status.INTERNAL, 'internal', error instanceof Error ? error.message : String(error));

async function write(
  history: History,
  stream: string,
  options: AppendReq.Options,
  events: readonly NewEvent[],
): Promise<AppendResp> {
  history.checkLeader();
  if (history.isDeleted(stream))
    throw refusal(status.FAILED_PRECONDITION, 'stream-deleted', `Event stream '${stream}' is deleted.`, {
      'stream-name': stream,
    });
  const written = await history.write(stream, expectedOf(options), events);
  const response = new pb.AppendResp();
  if (written.ok) {
    const [success, position] = [new pb.AppendResp.Success(), new pb.AppendResp.Position()];
    success.setCurrentRevision(String(written.revision));
    position.setCommitPosition(String(written.position));
    position.setPreparePosition(String(written.position));
    success.setPosition(position);
    response.setSuccess(success);
    return response;
  }
  const wrong = new pb.AppendResp.WrongExpectedVersion();
  if (written.actual < 0) wrong.setCurrentNoStream(new shared.Empty());
  else wrong.setCurrentRevision(String(written.actual));
  if (options.hasRevision()) wrong.setExpectedRevision(options.getRevision());
  else if (options.hasNoStream()) wrong.setExpectedNoStream(new shared.Empty());
  else if (options.hasStreamExists()) wrong.setExpectedStreamExists(new shared.Empty());
  else wrong.setExpectedAny(new shared.Empty());
  response.setWrongExpectedVersion(wrong);
  return response;
}

function expectedOf(options: AppendReq.Options): ExpectedRevision | 'exists' {
  if (options.hasRevision()) return Number(options.getRevision());
  if (options.hasNoStream()) return 'noStream';
  return options.hasStreamExists() ? 'exists' : 'any';
}
