import type { Body } from './options.ts';

/** Sources of the benchmark's DAG files: published and loaded from a bundle like anybody's. */
export function dagSource(dagId: string, shape: string, body: Body, extra = ''): string {
  return `import { Dag, task } from '@rondo/sdk';
${bodySource(body)}

export default new Dag({ id: '${dagId}', maxActiveRuns: 100_000, maxActiveTasks: 200_000, isPausedUponCreation: false${extra} }, () => {
${shape}
});
`;
}

function bodySource(body: Body): string {
  switch (body.kind) {
    case 'noop':
      return `const make = (id: string) => task(id, async () => undefined);`;
    case 'fibo':
      return `const fibo = (n: number): number => (n < 2 ? n : fibo(n - 1) + fibo(n - 2));\nconst make = (id: string) => task(id, async () => fibo(${body.n}));`;
    case 'bash':
      return `import { BashOperator } from '@rondo/operators';\nconst make = (id: string) => new BashOperator({ taskId: id, bashCommand: 'true' });`;
  }
}

export const shapes = {
  chain: (n: number): string =>
    `  const tasks = Array.from({ length: ${n} }, (_, i) => make('t' + i));\n  for (let i = 1; i < tasks.length; i++) tasks[i - 1]!.to(tasks[i]!);`,
  fan: (n: number): string =>
    `  const first = make('first');\n  const last = make('last');\n  for (let i = 0; i < ${n}; i++) first.to(make('t' + i)).to(last);`,
  independent: (n: number): string => `  for (let i = 0; i < ${n}; i++) make('t' + i);`,
};
