import { globSync, readFileSync } from 'node:fs';

const DECLARED = /metrics\.(?:gauge|total|counter|seconds)\(\s*'([a-z0-9_]+)'/g;

it('every metric that a service declares is documented, and no other', () => {
  const sources = globSync(
    ['apps/*/src/service/*.ts', 'libs/service-kit/src/*.ts', 'libs/nest-platform/src/metrics/*.ts'],
    {
      exclude: ['**/*.spec.ts'],
    },
  );
  const declared = sources.flatMap((file) =>
    Array.from(readFileSync(file, 'utf8').matchAll(DECLARED), ([, name]) => name!),
  );
  const section = readFileSync('docs/operations.md', 'utf8').split('\n## Metrics\n')[1]!.split('\n## ')[0]!;
  const documented = Array.from(section.matchAll(/^\| `([a-z0-9_]+)/gm), ([, name]) => name!);
  expect(declared.length).toBeGreaterThan(20);
  expect(documented.toSorted()).toEqual(declared.toSorted());
});
