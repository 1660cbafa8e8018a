import fc from 'fast-check';
import { labelValue, podName } from '../attempt/names.ts';
import { mergeTemplate } from './merge.ts';
import { containerResources } from './resources.ts';

describe('a template put over another', () => {
  it('merges objects, and lists by the names of their elements', () => {
    const under = {
      spec: {
        nodeSelector: { a: '1', b: '2' },
        tolerations: [{ key: 'x' }],
        containers: [
          {
            name: 'attempt',
            image: 'i:1',
            env: [
              { name: 'A', value: '1' },
              { name: 'B', value: '2' },
            ],
            args: ['x', 'y'],
          },
          { name: 'proxy', image: 'p' },
        ],
      },
    };
    const over = {
      spec: {
        nodeSelector: { b: null, c: '3' },
        tolerations: [{ key: 'y' }],
        containers: [
          {
            name: 'attempt',
            env: [
              { name: 'B', valueFrom: { fieldRef: {} } },
              { name: 'C', value: '3' },
            ],
            args: ['z'],
          },
          { name: 'proxy', $patch: 'delete' },
          { name: 'other', image: 'o' },
        ],
      },
    };
    expect(mergeTemplate(under, over)).toEqual({
      spec: {
        nodeSelector: { a: '1', c: '3' },
        tolerations: [{ key: 'y' }],
        containers: [
          {
            name: 'attempt',
            image: 'i:1',
            env: [
              { name: 'A', value: '1' },
              { name: 'B', valueFrom: { fieldRef: {} } },
              { name: 'C', value: '3' },
            ],
            args: ['z'],
          },
          { name: 'other', image: 'o' },
        ],
      },
    });
  });
});

describe('what a task may take', () => {
  it.each([
    [{ cpu: 2 }, { requests: { cpu: '2' }, limits: {} }],
    [
      { cpu: '500m', cpuLimit: 1 },
      { requests: { cpu: '500m' }, limits: { cpu: '1' } },
    ],
    [{ memory: '4g' }, { requests: { memory: '4Gi' }, limits: { memory: '4Gi' } }],
    [{ memory: '1.5Gi' }, { requests: { memory: '1.5Gi' }, limits: { memory: '1.5Gi' } }],
    [{ memory: '512m' }, { requests: { memory: '512Mi' }, limits: { memory: '512Mi' } }],
    [{ memory: '2G' }, { requests: { memory: '2G' }, limits: { memory: '2G' } }],
    [{ memory: 1_000 }, { requests: { memory: '1000' }, limits: { memory: '1000' } }],
    [{ gpu: 2 }, { requests: { 'nvidia.com/gpu': '2' }, limits: { 'nvidia.com/gpu': '2' } }],
    [{ 'amd.com/gpu': 1 }, { requests: { 'amd.com/gpu': '1' }, limits: { 'amd.com/gpu': '1' } }],
    [
      { ephemeralStorage: '10g', rows: 7 },
      { requests: { 'ephemeral-storage': '10Gi' }, limits: { 'ephemeral-storage': '10Gi' } },
    ],
  ])('%j', (resources, expected) => {
    expect(containerResources(resources, 'nvidia.com/gpu')).toEqual({ ok: true, value: expected });
  });

  it.each([{ cpu: 'many' }, { memory: '4 goats' }, { memory: -1 }, { cpu: '1g' }, { gpu: null }])(
    'refuses %j',
    (resources) => {
      expect(containerResources(resources, 'nvidia.com/gpu')).toEqual({
        ok: false,
        error: expect.stringContaining(`resources.${Object.keys(resources)[0]}`) as string,
      });
    },
  );
});

describe('names', () => {
  const attempt = fc.record({
    dagId: fc.string({ minLength: 1 }),
    runId: fc.string({ minLength: 1 }),
    taskId: fc.string({ minLength: 1 }),
    mapIndex: fc.array(fc.nat(3), { maxLength: 2 }),
    tryNumber: fc.nat(3),
    leg: fc.nat(3),
  });

  it('of pods fit a host name, whatever the ids are, and are those of one attempt', () => {
    fc.assert(
      fc.property(attempt, attempt, (one, other) => {
        expect(podName('i', one)).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
        expect(podName('i', one).length).toBeLessThanOrEqual(63);
        expect(podName('i', { ...one })).toBe(podName('i', one));
        expect(podName('j', one)).not.toBe(podName('i', one));
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        if (!isSame && !/[:[\]]/.test(`${one.dagId}${one.runId}${one.taskId}`))
          expect(podName('i', one)).not.toBe(podName('i', other));
      }),
    );
  });

  it('in labels are valid, and differ where the texts do', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ minLength: 60, maxLength: 80 }),
      fc.constantFrom('a', 'a-', 'x'.repeat(63), 'x'.repeat(64)),
    );
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(labelValue(one)).toMatch(/^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/);
        expect(labelValue(one).length).toBeLessThanOrEqual(63);
        if (one !== other) expect(labelValue(one)).not.toBe(labelValue(other));
      }),
    );
  });
});
