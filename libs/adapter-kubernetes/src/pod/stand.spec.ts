import type { ContainerStatus, PodStatus } from '../api/objects.ts';
import { errorOfEnd, standOf } from './stand.ts';

const named = (name: string, state: ContainerStatus['state']): ContainerStatus => ({
  name,
  ...(state === undefined ? {} : { state }),
});
const attempt = (state: ContainerStatus['state']): Partial<PodStatus> => ({
  containerStatuses: [named('attempt', state)],
});
const terminated = (exitCode: number, reason?: string): Partial<PodStatus> =>
  attempt({ terminated: { exitCode, ...(reason === undefined ? {} : { reason }) } });
const unscheduled = {
  conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3' }],
};

const standText = (status: PodStatus, deletionTimestamp?: string): string => {
  const metadata = { name: 'p', ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
  const stand = standOf({ metadata, status });
  if (stand.kind === 'ended')
    return `${stand.end.kind} ${stand.end.reason}${stand.end.isUnseen === true ? ' unseen' : ''}`;
  return stand.kind === 'waiting' && stand.problem !== undefined
    ? `${stand.problem.reason}${stand.problem.isFinal ? '!' : ''}`
    : stand.kind;
};

describe('where a pod stands', () => {
  it.each<[string, PodStatus, string]>([
    ['nothing is said yet', {}, 'waiting'],
    ['it is being created', { phase: 'Pending', ...attempt({ waiting: { reason: 'ContainerCreating' } }) }, 'waiting'],
    ['no node takes it', { phase: 'Pending', ...unscheduled }, 'Unschedulable'],
    [
      'its image cannot be had',
      { phase: 'Pending', ...attempt({ waiting: { reason: 'ImagePullBackOff' } }) },
      'ImagePullBackOff',
    ],
    [
      'its image has no name',
      { phase: 'Pending', ...attempt({ waiting: { reason: 'InvalidImageName' } }) },
      'InvalidImageName!',
    ],
    ['it runs', { phase: 'Running', ...attempt({ running: {} }) }, 'running'],
    [
      'a container beside it does not start',
      {
        phase: 'Running',
        containerStatuses: [
          named('attempt', { running: {} }),
          named('proxy', { waiting: { reason: 'ImagePullBackOff' } }),
        ],
      },
      'running',
    ],
    ['its worker has left', { phase: 'Succeeded', ...terminated(0) }, 'success Completed'],
    [
      'its worker has left, and another container goes on',
      {
        phase: 'Running',
        containerStatuses: [
          named('attempt', { terminated: { exitCode: 0, reason: 'Completed' } }),
          named('proxy', { running: {} }),
        ],
      },
      'success Completed',
    ],
    ['it ran out of memory', { phase: 'Failed', ...terminated(137, 'OOMKilled') }, 'memory OOMKilled'],
    ['it was killed', { phase: 'Failed', ...terminated(137, 'Error') }, 'exit Error'],
    ['its worker failed', { phase: 'Failed', ...terminated(1, 'Error') }, 'taken Error'],
    ['its command is not there', { phase: 'Failed', ...terminated(128, 'StartError') }, 'broken StartError'],
    [
      'it took too long',
      { phase: 'Failed', reason: 'DeadlineExceeded', ...terminated(137, 'Error') },
      'deadline DeadlineExceeded',
    ],
    ['it was evicted', { phase: 'Failed', reason: 'Evicted', ...terminated(137, 'Error') }, 'taken Evicted'],
    [
      'it was evicted, and nothing is known of its container',
      { phase: 'Failed', reason: 'Evicted' },
      'taken Evicted unseen',
    ],
    [
      'its node is gone',
      {
        phase: 'Failed',
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC' }],
        ...attempt({ running: {} }),
      },
      'taken DeletionByPodGC unseen',
    ],
    [
      'an init container failed',
      { phase: 'Failed', initContainerStatuses: [named('fetch', { terminated: { exitCode: 2, reason: 'Error' } })] },
      'broken Error',
    ],
    [
      'an init container ran out of memory',
      {
        phase: 'Failed',
        initContainerStatuses: [named('fetch', { terminated: { exitCode: 137, reason: 'OOMKilled' } })],
      },
      'memory OOMKilled',
    ],
  ])('when %s', (_, status, expected) => {
    expect(standText(status)).toBe(expected);
  });

  it('says nothing of the task when it was ended because it was deleted', () => {
    const status = { phase: 'Failed', ...terminated(137, 'Error') };
    expect(standText(status, '2026-01-01T00:00:00Z')).toBe('taken Deleted');
    const stand = standOf({ metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' }, status });
    expect(stand.kind === 'ended' && errorOfEnd(stand.end, [])).toBeUndefined();
  });
});
