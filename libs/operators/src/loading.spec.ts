import { execFileSync } from 'node:child_process';

describe('loading', () => {
  it('brings in no heavy module', () => {
    const probe = `process.moduleLoadList.length; await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}); console.log(process.moduleLoadList.filter((m) => /NativeModule (child_process|sqlite|http|https)$/.test(m)).join())`;
    expect(
      execFileSync(process.execPath, ['--input-type=module', '-e', probe], {
        encoding: 'utf8',
        cwd: new URL('.', import.meta.url).pathname,
      }).trim(),
    ).toBe('');
  });
});
