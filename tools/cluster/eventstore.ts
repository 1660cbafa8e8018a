/** The event store of a cluster on one machine as a process of its own: FOLDER PORT HEALTH_PORT [HOST]. */
import { mkdirSync } from 'node:fs';
import { startHealthServer } from '@rondo/nest-platform/service';
import { startEventStoreDb } from '../services/eventstoredb/server.ts';

const [folder, port, health, host = '127.0.0.1'] = process.argv.slice(2);
if (folder === undefined) throw new Error('FOLDER PORT HEALTH_PORT [HOST] are wanted');
mkdirSync(folder, { recursive: true });
const server = await startEventStoreDb({ folder, host, port: Number(port) });
const endpoint = await startHealthServer({
  listen: { host, port: Number(health) },
  ready: async () => ({ eventstore: { state: 'ok', detail: server.connectionString } }),
});
process.stdout.write(`${server.connectionString}\n`);
process.once('SIGTERM', () => {
  void Promise.all([endpoint.close(), server.stop()]).then(() => process.exit(0));
});
