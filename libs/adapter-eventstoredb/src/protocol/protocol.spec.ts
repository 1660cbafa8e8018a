import { createRequire } from 'node:module';
import fc from 'fast-check';
import { Fields, Message } from './message.ts';
import { readAnswer, readRequest } from './read.ts';

/** The same messages as the official client was generated with. */
const require = createRequire(import.meta.url);
const pb =
  require('@eventstore/db-client/generated/streams_pb.js') as typeof import('@eventstore/db-client/generated/streams_pb.js');
const shared =
  require('@eventstore/db-client/generated/shared_pb.js') as typeof import('@eventstore/db-client/generated/shared_pb.js');

const bytesOf = (text: string): string => Buffer.from(text).toString('base64');

function aRecordedEvent(position: string) {
  const [event, id, name] = [
    new pb.ReadResp.ReadEvent.RecordedEvent(),
    new shared.UUID(),
    new shared.StreamIdentifier(),
  ];
  id.setString('0b3f2a52-8d6e-4a0c-9b54-6fd6ad5e9e0f');
  event.setId(id);
  name.setStreamName(bytesOf('dag-é'));
  event.setStreamIdentifier(name);
  event.setStreamRevision('7');
  event.setPreparePosition(position);
  event.setCommitPosition(position);
  event
    .getMetadataMap()
    .set('type', 'Happened')
    .set('content-type', 'application/json')
    .set('created', '17956637988710000');
  event.setCustomMetadata(bytesOf('{"prev":""}'));
  event.setData(bytesOf('{"text": "日本"}'));
  return event;
}

function answerWith(position: string): Buffer {
  const [response, read] = [new pb.ReadResp(), new pb.ReadResp.ReadEvent()];
  read.setEvent(aRecordedEvent(position));
  response.setEvent(read);
  return Buffer.from(response.serializeBinary());
}

describe('messages of the protocol', () => {
  it('numbers and texts of any size are read as they were written', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), fc.string({ unit: 'binary' }), (number, text) => {
        const wellFormed = text.toWellFormed();
        const fields = new Fields(new Message().varint(3, number).text(200, wellFormed).done());
        expect([fields.next(), fields.field, fields.value]).toEqual([true, 3, number]);
        expect([fields.next(), fields.field, fields.text]).toEqual([true, 200, wellFormed]);
        expect(fields.next()).toBe(false);
      }),
    );
  });

  it('a request says what the official client would', () => {
    const filter = { on: 'type', prefixes: ['RunFailed', 'RunSucceeded'], asked: {} } as const;
    const asked = pb.ReadReq.deserializeBinary(readRequest({ from: 5_000_000_000, isSubscription: true, filter }));
    const options = asked.getOptions()!;
    expect(options.getAll()!.getPosition()!.getCommitPosition()).toBe('5000000000');
    expect([options.hasSubscription(), options.hasNoFilter()]).toEqual([true, false]);
    expect(options.getFilter()!.getEventType()!.getPrefixList()).toEqual(['RunFailed', 'RunSucceeded']);
    expect(options.getUuidOption()!.hasString()).toBe(true);
  });

  it('a request for the end of a stream says so, with its limit', () => {
    const asked = pb.ReadReq.deserializeBinary(readRequest({ stream: 'dag-é', backwards: true, limit: 1 }));
    const options = asked.getOptions()!;
    const stream = options.getStream()!;
    expect(Buffer.from(stream.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe('dag-é');
    expect([stream.hasEnd(), options.getReadDirection(), options.getCount()]).toEqual([true, 1, '1']);
  });

  it('an event is read whole, with its very text', () => {
    const event = {
      position: 5_000_000_000,
      stream: 'dag-é',
      revision: 7,
      id: '0b3f2a52-8d6e-4a0c-9b54-6fd6ad5e9e0f',
      type: 'Happened',
      data: '{"text": "日本"}',
      meta: '{"prev":""}',
    };
    expect(readAnswer(answerWith('5000000000'))).toEqual({ kind: 'event', created: 1_795_663_798_871, event });
  });

  it('an event without a position of its own is refused: the server is too old', () => {
    expect(() => readAnswer(answerWith('18446744073709551615'))).toThrow(/version 22.6/);
  });

  it('an id that comes as two numbers is the same id', () => {
    const [response, read, id] = [new pb.ReadResp(), new pb.ReadResp.ReadEvent(), new shared.UUID()];
    const structured = new shared.UUID.Structured();
    structured.setMostSignificantBits(BigInt.asIntN(64, 0x8b3f2a528d6e4a0cn).toString());
    structured.setLeastSignificantBits(BigInt.asIntN(64, 0x1b546fd6ad5e9e0fn).toString());
    id.setStructured(structured);
    const event = aRecordedEvent('1');
    event.setId(id);
    read.setEvent(event);
    response.setEvent(read);
    expect(readAnswer(Buffer.from(response.serializeBinary()))).toMatchObject({
      event: { id: '8b3f2a52-8d6e-4a0c-1b54-6fd6ad5e9e0f' },
    });
  });
});
