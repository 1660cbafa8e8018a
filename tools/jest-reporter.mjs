import { writeSync } from 'node:fs';

/** How a skipped test says why, in its own title or in that of a `describe` around it. */
const REASON = /\[skipped: ([^\]]+)\]/;

/** Lists skipped tests with their reasons and ends the output with the plain line `N passed, N failed, N skipped`. */
export default class SummaryLineReporter {
  #unexplained = 0;

  onRunComplete(_contexts, results) {
    const skipped = results.testResults.flatMap((suite) =>
      suite.testResults.filter(({ status }) => status !== 'passed' && status !== 'failed'),
    );
    // A name pattern (`-t`) leaves the other tests out on purpose: they were filtered, not skipped.
    const counted = process.argv.some((arg) => /^(-t|--testNamePattern)\b/.test(arg)) ? [] : skipped;
    const lines = counted.map(({ fullName }) => {
      const reason = REASON.exec(fullName)?.[1];
      if (reason === undefined) this.#unexplained += 1;
      return `skipped: ${fullName.replace(REASON, '').trim()} (${reason ?? 'NO REASON: put "[skipped: why]" in its title'})`;
    });
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites + this.#unexplained;
    const passed = results.numPassedTests;
    lines.push(`${passed} passed, ${failed} failed, ${counted.length - this.#unexplained} skipped`);
    // Jest's own summary is written after this call, and the counts must be the last line.
    process.once('exit', () => writeSync(1, `\n${lines.join('\n')}\n`));
  }

  /** A skip without a reason fails the run. */
  getLastError() {
    return this.#unexplained > 0 ? new Error(`${this.#unexplained} skipped without a reason`) : undefined;
  }
}
