import { err, type Result } from '@rondo/kernel';
import type { AdminRefusal } from '../admin/admin-service.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { DrainRequest, WorkerFacts, Workers } from './workers.ts';

/** The workers of the only gateway, which end with it: it knows them better than any history. */
export class OwnWorkers implements Workers {
  private readonly gateway: Pick<Gateway, 'status'>;
  private readonly since: number;

  /** `since`: when they began, epoch milliseconds. */
  constructor(gateway: Pick<Gateway, 'status'>, since: number) {
    this.gateway = gateway;
    this.since = since;
  }

  list(): Promise<readonly WorkerFacts[]> {
    return Promise.resolve(
      this.gateway.status().workers.map(({ worker: name, isConnected, isDraining, assigned, ...about }) => ({
        ...{ name, boot: about.boot, release: about.release, executor: about.executor },
        ...{ queues: about.queues, labels: about.labels, slots: about.slots, running: assigned, joinedAt: this.since },
        state: isConnected ? (isDraining ? 'draining' : 'active') : 'lost',
        ...{ drainingSince: null, leftAt: null, reason: null },
      })),
    );
  }

  drain({ worker }: DrainRequest): Promise<Result<WorkerFacts, AdminRefusal>> {
    const isKnown = this.gateway.status().workers.some((one) => one.worker === worker);
    return Promise.resolve(
      err(
        isKnown
          ? {
              code: 'conflict',
              message: `worker '${worker}' is part of the platform's own process: pause DAGs, or stop the platform, which lets attempts end`,
            }
          : { code: 'not_found', message: `there is no worker '${worker}'` },
      ),
    );
  }
}
