import { randomUUID } from 'node:crypto';
import { status, type ServerDuplexStream, type ServiceError } from '@grpc/grpc-js';
import type { IPersistentSubscriptionsServer } from '@eventstore/db-client/generated/persistent_grpc_pb.js';
import type { CreateReq, ReadReq, ReadResp } from '@eventstore/db-client/generated/persistent_pb.js';
import type { Consumer, EmbeddedSubscriptions, SubscriptionGroup } from '@rondo/adapter-embedded';
import type { Verdict } from '@rondo/ports';
import { refusal } from './append.ts';
import { coalesce } from './coalesce.ts';
import type { History } from './history.ts';
import { persistent } from './pb.ts';

type Call = ServerDuplexStream<ReadReq, ReadResp | Buffer>;
const { Action } = persistent.ReadReq.Nack;
const ALL = '$all';

/** Persistent subscriptions to `$all`, as groups of the embedded ones. */
export function persistentSubscriptions(
  history: History,
  subscriptions: EmbeddedSubscriptions,
): IPersistentSubscriptionsServer {
  const notHere = (what: string): ServiceError =>
    refusal(status.UNIMPLEMENTED, 'unimplemented', `${what} is not served here`);
  return {
    create: (call, answer) =>
      void create(subscriptions, call.request.getOptions()!).then(
        () => answer(null, new persistent.CreateResp()),
        (error: ServiceError) => answer(error),
      ),
    delete: (call, answer) => {
      const group = call.request.getOptions()!.getGroupName();
      void subscriptions.info(group).then(async (info) => {
        if (info === undefined) return answer(missing(group));
        await subscriptions.delete(group);
        answer(null, new persistent.DeleteResp());
      });
    },
    read: (call) => read(history, subscriptions, call),
    getInfo: (call, answer) => {
      const group = call.request.getOptions()!.getGroupName();
      void subscriptions.info(group).then((info) => {
        if (info === undefined) return answer(missing(group));
        answer(null, infoOf(group, info.parked));
      });
    },
    replayParked: (call, answer) => {
      const group = call.request.getOptions()!.getGroupName();
      void subscriptions.replayParked(group).then(
        () => answer(null, new persistent.ReplayParkedResp()),
        () => answer(missing(group)),
      );
    },
    update: (_call, answer) => answer(notHere('an update')),
    list: (_call, answer) => answer(notHere('a list')),
    restartSubsystem: (_call, answer) => answer(notHere('a restart')),
  };
}

const missing = (group: string): ServiceError =>
  refusal(
    status.NOT_FOUND,
    'persistent-subscription-does-not-exist',
    `Subscription group ${group} on stream ${ALL} does not exist.`,
    { 'stream-name': ALL, 'group-name': group },
  );

async function create(subscriptions: EmbeddedSubscriptions, options: CreateReq.Options): Promise<void> {
  const name = options.getGroupName();
  const all = options.getAll();
  if (all === undefined)
    throw refusal(status.UNIMPLEMENTED, 'unimplemented', 'subscriptions to one stream are not served here');
  if ((await subscriptions.info(name)) !== undefined)
    throw refusal(
      status.ALREADY_EXISTS,
      'persistent-subscription-exists',
      `Subscription group ${name} on stream ${ALL} exists.`,
      { 'stream-name': ALL, 'group-name': name },
    );
  const filter = all.getFilter();
  const [streams, types] = [filter?.getStreamIdentifier(), filter?.getEventType()];
  const by = streams ?? types;
  if (by !== undefined && by.getRegex() !== '')
    throw refusal(status.UNIMPLEMENTED, 'unimplemented', 'filters by expression are not served here');
  const prefixes = by?.getPrefixList() ?? [''];
  await subscriptions.create({
    name,
    after: all.hasPosition() ? Number(all.getPosition()!.getCommitPosition()) : all.hasStart() ? 0 : 'end',
    maxRetries: options.getSettings()!.getMaxRetryCount(),
    ...(types === undefined ? { streamPrefixes: prefixes } : { eventTypes: prefixes }),
  });
}

/** A consumer: its options, then what it says of the events that it is given. */
function read(history: History, subscriptions: EmbeddedSubscriptions, call: Call): void {
  coalesce(call);
  let [group, consumer]: [SubscriptionGroup | undefined, Consumer | undefined] = [undefined, undefined];
  const begin = (options: ReadReq.Options): void => {
    const name = options.getGroupName();
    group = subscriptions.group(name);
    if (group === undefined) return void call.emit('error', missing(name));
    call.write(confirmation());
    consumer = {
      atOnce: options.getBufferSize(),
      give: (event, retries) => void call.write(history.encoded(event, retries)),
      dropped: () =>
        void call.emit(
          'error',
          refusal(status.CANCELLED, 'persistent-subscription-dropped', `Subscription group ${name} was dropped.`, {
            'stream-name': ALL,
            'group-name': name,
          }),
        ),
    };
    group.join(consumer);
  };
  call.on('data', (request: ReadReq) => {
    if (request.hasOptions()) return begin(request.getOptions()!);
    if (group === undefined || consumer === undefined) return;
    for (const id of request.getAck()?.getIdsList() ?? []) group.settle(consumer, id.getString(), 'ack');
    const nack = request.getNack();
    for (const id of nack?.getIdsList() ?? [])
      group.settle(consumer, id.getString(), verdictOf(nack!.getAction()), nack!.getReason());
  });
  const leave = (): void => {
    if (consumer !== undefined) group?.leave(consumer);
    consumer = undefined;
  };
  call.on('cancelled', leave);
  call.on('error', leave);
  call.on('end', () => {
    leave();
    call.end();
  });
}

function verdictOf(action: number): Verdict {
  if (action === Action.RETRY) return 'retry';
  return action === Action.SKIP ? 'skip' : 'park';
}

function confirmation(): ReadResp {
  const [response, confirmed] = [new persistent.ReadResp(), new persistent.ReadResp.SubscriptionConfirmation()];
  confirmed.setSubscriptionId(randomUUID());
  response.setSubscriptionConfirmation(confirmed);
  return response;
}

function infoOf(group: string, parked: number) {
  const [response, info] = [new persistent.GetInfoResp(), new persistent.SubscriptionInfo()];
  info.setEventSource(ALL);
  info.setGroupName(group);
  info.setStatus('Live');
  info.setStartFrom('C:0/P:0');
  info.setTotalItems('0');
  info.setCountSinceLastMeasurement('0');
  info.setLiveBufferCount('0');
  info.setParkedMessageCount(String(parked));
  response.setSubscriptionInfo(info);
  return response;
}
