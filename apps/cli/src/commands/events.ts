import { randomUUID } from 'node:crypto';
import { parseCount, readJson, type Context, type Registry } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import type { ReceivedAnswer, SentAnswer } from '../http/answers.ts';
import { brief, table, time } from '../output/format.ts';

interface SendOptions {
  readonly file?: string;
  readonly id?: string;
  readonly source: string;
  readonly subject?: string;
  readonly payload?: string;
}

async function send(context: Context, type: string | undefined, options: SendOptions): Promise<void> {
  if ((type === undefined) === (options.file === undefined))
    throw new UsageError('either the TYPE of one event is wanted, or --file with one or more CloudEvents');
  const body =
    type === undefined
      ? await readJson(context, options.file === '-' ? '-' : `@${options.file!}`, '--file')
      : await eventOf(context, type, options);
  const answer = await context.api.post<SentAnswer>('/events', body);
  context.answer(answer, () =>
    answer.events
      .map(({ type: sent, id, position }) => `event ${id} of type ${sent} is at position ${position}`)
      .join('\n'),
  );
}

/** Without an id it is an event of its own, however often the command is run. */
async function eventOf(context: Context, type: string, options: SendOptions): Promise<object> {
  const { id = randomUUID(), source, subject, payload } = options;
  return {
    specversion: '1.0',
    ...{ id, source, type, subject },
    time: new Date().toISOString(),
    ...(payload === undefined ? {} : { data: await readJson(context, payload, '--payload') }),
  };
}

interface ListOptions {
  readonly type?: string;
  readonly limit?: string;
}

async function list(context: Context, { type, limit }: ListOptions): Promise<void> {
  const answer = await context.api.get<ReceivedAnswer>('/events/received', {
    type,
    limit: limit === undefined ? undefined : parseCount(limit, '--limit'),
  });
  context.answer(answer, () => {
    const rows = answer.items.map(({ position, receivedAt, event }) => [
      position,
      time(receivedAt),
      event.type,
      event.source,
      event.subject,
      event.id,
      brief(event.data === undefined ? null : JSON.stringify(event.data), 60),
    ]);
    return table(['POSITION', 'RECEIVED', 'TYPE', 'SOURCE', 'SUBJECT', 'ID', 'DATA'], rows);
  });
}

export function registerEvents({ program, action }: Registry): void {
  const events = program.command('events').description('events from outside, that tasks wait for');
  events
    .command('send')
    .description('send an event to the tasks that wait for it')
    .argument('[type]', 'what happened, such as order.paid')
    .option('--payload <json>', 'its data: JSON, @file or -')
    .option('--source <source>', 'where it happened', '/rondo/cli')
    .option('--subject <subject>', 'what it is about')
    .option('--id <id>', 'with the source its identity: a repeat is one event (default: a new one)')
    .option('--file <file>', 'CloudEvents as JSON, one or a list; - for the standard input')
    .action(action(send));
  events
    .command('list')
    .description('list the events, newest first')
    .option('--type <type>', 'only of this type')
    .option('--limit <n>', 'at most so many (default: 50)')
    .action(action(list));
}
