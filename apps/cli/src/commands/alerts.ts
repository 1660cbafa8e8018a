import { type Context, type Registry } from '../context.ts';
import type { Page, ParkedAlertAnswer } from '../http/answers.ts';
import { table, time } from '../output/format.ts';

async function list(context: Context): Promise<void> {
  const page = await context.api.get<Page<ParkedAlertAnswer>>('/alerts/parked', { limit: 1_000 });
  context.answer(page, () =>
    table(
      ['DAG', 'RUN', 'WHAT', 'AT', 'STREAM', 'REVISION'],
      page.items.map(({ dagId, runId, type, at, stream, revision }) => [
        ...[dagId, runId, type, time(at), stream],
        String(revision),
      ]),
    ),
  );
  if (page.total > page.items.length && !context.json)
    context.warn(`these are the first ${page.items.length} of ${page.total}`);
}

async function replay(context: Context): Promise<void> {
  const done = await context.api.post<{ readonly replayed: number }>('/alerts/parked/replay');
  context.answer(done, () => `${done.replayed} alerts are told again`);
}

export function registerAlerts({ program, action }: Registry): void {
  const alerts = program.command('alerts').description('what people are told');
  const parked = alerts.command('parked').description('what could not be told, and was laid aside');
  parked.command('list').description('list it').action(action(list));
  parked.command('replay').description('tell all of it again').action(action(replay));
}
