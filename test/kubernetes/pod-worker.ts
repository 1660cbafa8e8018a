/** What the platform's image does in a pod. Pods share this machine, so that each needs folders and ports of its own. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

process.env.RONDO_WORKER_DATA = mkdtempSync(join(tmpdir(), 'rondo-pod-'));
process.env.RONDO_SERVICE_HEALTH = '127.0.0.1:0';
await import('../../apps/worker/src/main.ts');
