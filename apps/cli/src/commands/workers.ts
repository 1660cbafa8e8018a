import { type Context, type Registry } from '../context.ts';
import type { Page, WorkerAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, table, time } from '../output/format.ts';

function workersTable(workers: readonly WorkerAnswer[]): string {
  return table(
    ['WORKER', 'STATE', 'RUNNING', 'SLOTS', 'QUEUES', 'EXECUTOR', 'RELEASE', 'LABELS', 'SINCE', 'REASON'],
    workers.map((worker) => [
      worker.name,
      worker.state,
      String(worker.running),
      String(worker.slots),
      brief(worker.queues.join(', '), 40),
      worker.executor,
      worker.release,
      brief(labelsText(worker.labels), 40),
      time(worker.leftAt ?? worker.drainingSince ?? worker.joinedAt),
      brief(worker.reason, 60),
    ]),
  );
}

const labelsText = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

async function list(context: Context, { all }: { readonly all?: boolean }): Promise<void> {
  const page = await context.api.get<Page<WorkerAnswer>>('/workers', { includeLeft: all, limit: 1_000 });
  context.answer(page, () => workersTable(page.items));
}

async function drain(context: Context, name: string, { boot }: { readonly boot?: string }): Promise<void> {
  const worker = await context.api.post<WorkerAnswer>(`${path('workers', name)}/drain`, { boot });
  const { running } = worker;
  const rest = running === 0 ? 'nothing runs there' : `it leaves when ${running} running attempts have ended`;
  context.answer(worker, () => `worker ${name} takes nothing new; ${rest}`);
}

export function registerWorkers({ program, action }: Registry): void {
  const workers = program.command('workers').description('the processes that attempts run in');
  workers
    .command('list')
    .description('list the workers, and what runs there')
    .option('--all', 'also those that have left')
    .action(action(list));
  workers
    .command('drain')
    .description('let a worker end what it has, and leave')
    .argument('<name>')
    .option('--boot <boot>', 'only this process of it (default: the one there is)')
    .action(action(drain));
}
