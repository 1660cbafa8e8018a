import { readdirSync } from 'node:fs';

const folders = ['libs', 'apps'] as const;

describe('workspace packages under Jest', () => {
  it.each(folders.flatMap((folder) => readdirSync(folder).map((name) => [folder, name] as const)))(
    '%s/%s resolves by name to its source',
    async (folder, name) => {
      const manifest: unknown = (await import(`../../${folder}/${name}/package.json`, { with: { type: 'json' } }))
        .default;
      const packageName = (manifest as { name: string }).name;
      expect(import.meta.resolve(packageName)).toMatch(new RegExp(`/${folder}/${name}/src/index\\.ts$`));
    },
  );
});
