import 'reflect-metadata';
import { readConfig, HELP } from './config.ts';
import { runStandalone } from './standalone.ts';

const parsed = readConfig(process.argv.slice(2), process.env, process.env['INIT_CWD'] ?? process.cwd());
if (parsed.kind === 'help') process.stdout.write(HELP);
else if (parsed.kind === 'bad') {
  process.stderr.write(`${parsed.problems.map((p) => `rondo: ${p}`).join('\n')}\n\n${HELP}`);
  process.exitCode = 2;
} else process.exit(await runStandalone(parsed.config));
