/** A sensor that waits for a file while another task delivers it, and one whose timeout is no failure. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { FileSensor } from '@rondo/operators';
import { Dag, sensor, task } from '@rondo/sdk';

const inbox = join(tmpdir(), 'rondo-wait-for-file');

export default new Dag(
  {
    id: 'wait_for_file',
    description: 'Two sensors, which hold no slot while they wait',
    tags: ['example'],
    defaultArgs: { pokeInterval: '1s' },
  },
  () => {
    const empty = task('empty_inbox', async () => {
      await rm(inbox, { recursive: true, force: true });
      await mkdir(inbox, { recursive: true });
    });
    const deliver = task('deliver', async (ctx) => {
      await setTimeout(500, undefined, { signal: ctx.signal });
      await writeFile(join(inbox, 'orders.csv'), 'id,price\n1,12\n2,30\n');
    });
    const orders = new FileSensor({ id: 'orders', path: join(inbox, '*.csv'), timeout: '5m' });
    const returns = sensor('returns', () => false, { timeout: '3s', softFail: true });
    const report = task(
      'report',
      { files: orders },
      (ctx, { files }) => ctx.log.info(`${files.length} file: ${files.join(', ')}`),
      { triggerRule: 'none_failed' },
    );
    empty().to([deliver(), orders, returns()]).to(report);
  },
);
