import type { ServerResponse } from 'node:http';
import type { PodLogs, StoredLine } from './logs.ts';
import { Refusal } from './objects.ts';
import type { Store } from './store.ts';

interface LogTarget {
  readonly namespace: string;
  readonly name: string;
  readonly query: URLSearchParams;
}

/** `GET …/log`: lines so far, and with `follow` those to come until the container ends. */
export function sendLog(
  store: Store,
  logs: PodLogs,
  { namespace, name, query }: LogTarget,
  response: ServerResponse,
): void {
  const pod = store.get('pods', namespace, name);
  const statuses = pod.status?.containerStatuses ?? [];
  const wanted = query.get('container') ?? pod.spec!.containers[0]!.name;
  if (!pod.spec!.containers.some((container) => container.name === wanted))
    throw new Refusal(400, 'BadRequest', `container ${wanted} is not valid for pod ${name}`);
  const state = statuses.find((status) => status.name === wanted)?.state;
  if (state?.running === undefined && state?.terminated === undefined)
    throw new Refusal(
      400,
      'BadRequest',
      `container "${wanted}" in pod "${name}" is waiting to start: ${state?.waiting?.reason ?? 'ContainerCreating'}`,
    );
  const { uid } = pod.metadata;
  const since = query.get('sinceTime') === null ? 0 : Date.parse(query.get('sinceTime')!);
  const line = ({ at, text }: StoredLine): string =>
    `${query.get('timestamps') === 'true' ? `${new Date(at).toISOString().replace('Z', '000000Z')} ` : ''}${text}\n`;
  const lines = logs.of(uid).filter(({ at }) => at >= since);
  const tail = query.get('tailLines');
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.flushHeaders();
  for (const stored of tail === null ? lines : lines.slice(-Number(tail))) response.write(line(stored));
  if (query.get('follow') !== 'true' || logs.isClosed(uid) || state.terminated !== undefined)
    return void response.end();
  let sent = logs.of(uid).length;
  const onLine = (of: string): void => {
    if (of !== uid) return;
    for (const stored of logs.of(uid).slice(sent)) response.write(line(stored));
    sent = logs.of(uid).length;
  };
  const onClosed = (of: string): void => {
    if (of === uid) response.end();
  };
  logs.written.on('line', onLine).on('closed', onClosed);
  response.once('close', () => logs.written.off('line', onLine).off('closed', onClosed));
}
