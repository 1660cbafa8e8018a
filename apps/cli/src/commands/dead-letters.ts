import { parseCount, type Context, type Registry } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import type { DeadLetterAnswer, DeadLetterDetailAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, facts, table, time } from '../output/format.ts';

interface ListOptions {
  readonly topic?: string;
  readonly waiting?: boolean;
  readonly from?: string;
  readonly limit?: string;
}

interface LettersAnswer {
  readonly items: readonly DeadLetterAnswer[];
  readonly next: number | null;
}

const idOf = (given: string, name: string): number => parseCount(given, name, 0);

const replayText = ({ replayedAt, replayedBy }: DeadLetterAnswer): string | null =>
  replayedAt === null ? null : `${time(replayedAt)} by ${replayedBy}`;

async function list(context: Context, { topic, waiting, from, limit }: ListOptions): Promise<void> {
  const page = await context.api.get<LettersAnswer>('/dead-letters', {
    topic,
    replayed: waiting === true ? false : undefined,
    from: from === undefined ? undefined : idOf(from, '--from'),
    limit: limit === undefined ? 100 : parseCount(limit, '--limit'),
  });
  context.answer(page, () =>
    table(
      ['ID', 'TOPIC', 'PLACE', 'KEY', 'BYTES', 'LAID ASIDE', 'REPLAYED', 'REASON'],
      page.items.map((letter) => [
        String(letter.id),
        letter.topic,
        `${letter.partition}:${letter.offset}`,
        brief(letter.key, 40),
        String(letter.size),
        time(letter.at),
        replayText(letter),
        letter.reason,
      ]),
    ),
  );
  if (page.next !== null && !context.json) context.warn(`there are more: --from ${page.next}`);
}

async function show(context: Context, id: string): Promise<void> {
  const letter = await context.api.get<DeadLetterDetailAnswer>(path('dead-letters', String(idOf(id, 'id'))));
  context.answer(letter, () =>
    facts([
      ['id', String(letter.id)],
      ['topic', letter.topic],
      ['place', `partition ${letter.partition}, offset ${letter.offset}`],
      ['key', letter.key],
      ['bytes', String(letter.size)],
      ['reason', letter.reason],
      ['laid aside', time(letter.at)],
      ['replayed', replayText(letter)],
      ['outline', letter.outline],
    ]),
  );
}

async function replay(
  context: Context,
  ids: readonly string[],
  { all, topic }: { readonly all?: boolean; readonly topic?: string },
): Promise<void> {
  if (ids.length > 0 === (all === true)) throw new UsageError('which dead letters? allowed: their ids, or --all');
  if (topic !== undefined && all !== true) throw new UsageError('--topic goes with --all');
  const body = all === true ? { all, topic } : { ids: ids.map((id) => idOf(id, 'id')) };
  const done = await context.api.post<{ readonly replayed: number }>('/dead-letters/replay', body);
  context.answer(done, () => `${done.replayed} messages were sent again`);
}

export function registerDeadLetters({ program, action }: Registry): void {
  const letters = program.command('dead-letters').description('messages that nobody could decode');
  letters
    .command('list')
    .description('list them, the oldest first')
    .option('--topic <topic>', 'only of this topic')
    .option('--waiting', 'only those that were not replayed')
    .option('--from <id>', 'from this one on')
    .option('--limit <count>', 'at most so many (default: 100)')
    .action(action(list));
  letters.command('show').description('show one, without its values').argument('<id>').action(action(show));
  letters
    .command('replay')
    .description('send messages to their topics again, as they came')
    .argument('[id...]')
    .option('--all', 'all that were not replayed')
    .option('--topic <topic>', 'with --all: only of this topic')
    .action(action(replay));
}
