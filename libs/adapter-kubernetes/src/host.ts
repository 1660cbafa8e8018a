import { randomUUID } from 'node:crypto';
import type { AgentHello, SessionHost, WorkerChannel } from '@rondo/ports';
import { Client } from './api/client.ts';
import { Executor } from './executor.ts';
import { settingsOf, type KubernetesOptions } from './options.ts';
import { firstFrame } from './session/first-frame.ts';

export interface KubernetesHost extends SessionHost {
  /** A session whose hello says that its worker was made for one attempt. */
  acceptPod(channel: WorkerChannel, hello: AgentHello): void;
}

/**
 * A cluster as one worker of a gateway, with the executor `kubernetes`: each attempt in a pod of its own. The workers in the
 * pods come to the gateway by `combineHosts`. Throws with every problem of the options at once.
 */
export function kubernetesHost(options: KubernetesOptions): KubernetesHost {
  const settings = settingsOf(options);
  let executor: Executor | undefined;
  return {
    async start(onSession) {
      const client = await Client.open(options.cluster ?? {});
      executor = new Executor(client, settings, onSession, randomUUID());
      executor.start();
    },
    async stop() {
      const ending = executor;
      executor = undefined;
      await ending?.stop();
    },
    acceptPod(channel, hello) {
      if (executor === undefined) channel.close('the executor is not started');
      else void executor.acceptPod(channel, hello);
    },
  };
}

/** Sessions of workers go to the gateway, those of workers in pods to the executor that has made them. */
export function combineHosts(workers: SessionHost, kubernetes: KubernetesHost): SessionHost {
  return {
    async start(onSession) {
      await kubernetes.start(onSession);
      await workers.start((channel) =>
        firstFrame(channel, (frame, same) => {
          if (frame.kind === 'hello' && frame.hello.attempt !== undefined) kubernetes.acceptPod(same, frame.hello);
          else onSession(same);
        }),
      );
    },
    async stop(graceMs) {
      await workers.stop(graceMs);
      await kubernetes.stop(graceMs);
    },
  };
}
