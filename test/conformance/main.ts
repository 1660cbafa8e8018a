/**
 * `npm run conformance -- FILE [GROUP …]`: runs the cases of a file (of some groups) against the domain. Prints each failure
 * with what was expected and what came, then the counts. Exit status 0 only if nothing failed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readCases, runCase } from './run.ts';

const [file, ...groups] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: npm run conformance -- FILE [GROUP …]');
  process.exit(2);
}
// npm changes to the folder of the package and tells where it was called.
const path = [process.cwd(), process.env['INIT_CWD'] ?? '.'].map((folder) => resolve(folder, file)).find(existsSync);
if (path === undefined) {
  console.error(`no such file: ${resolve(file)}`);
  process.exit(2);
}
let passed = 0;
let failed = 0;
let skipped = 0;
for (const c of readCases(readFileSync(path, 'utf8'))) {
  if (groups.length > 0 && !groups.includes(c.group)) {
    skipped += 1;
    continue;
  }
  const result = await runCase(c);
  if (result.passed) passed += 1;
  else {
    failed += 1;
    console.log(
      `FAILED ${c.id}\n  expected ${JSON.stringify(result.expected)}\n  got      ${JSON.stringify(result.got)}`,
    );
  }
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
