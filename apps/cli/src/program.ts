import { Command, CommanderError } from 'commander';
import { Context, type GlobalOptions, type Registry } from './context.ts';
import { EXIT, EXIT_HELP, RefusedError, UnreachableError, UsageError, type Problem } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';
import { registerAlerts } from './commands/alerts.ts';
import { registerArchive } from './commands/archive.ts';
import { registerBackfill } from './commands/backfill.ts';
import { registerApprovals } from './commands/approvals.ts';
import { registerAssets } from './commands/assets.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerConnections } from './commands/connections.ts';
import { registerDags } from './commands/dags.ts';
import { registerDeadLetters } from './commands/dead-letters.ts';
import { registerEvents } from './commands/events.ts';
import { registerHistory } from './commands/history.ts';
import { registerMigrate } from './commands/migrate.ts';
import { registerPools } from './commands/pools.ts';
import { registerControl } from './commands/control.ts';
import { registerRuns } from './commands/runs.ts';
import { registerStart, start } from './commands/start.ts';
import { registerStorage } from './commands/storage.ts';
import { registerTasks } from './commands/tasks.ts';
import { registerVariables } from './commands/variables.ts';
import { registerWorkers } from './commands/workers.ts';
import { registerXComs } from './commands/xcoms.ts';

const REGISTER = [
  registerStart,
  registerDags,
  registerRuns,
  registerBackfill,
  registerTasks,
  registerControl,
  registerEvents,
  registerApprovals,
  registerHistory,
  registerXComs,
  registerVariables,
  registerConnections,
  registerPools,
  registerAssets,
  registerWorkers,
  registerDeadLetters,
  registerAlerts,
  registerStorage,
  registerMigrate,
  registerArchive,
  registerCompletion,
];

/** The whole command line. `finished` is told the exit status of the command that ran. */
export function createProgram(terminal: Terminal, finished: (exitCode: number) => void): Command {
  const program = new Command('rondo')
    .description('Workflows whose history is the database')
    .option('--url <url>', 'address of the platform (default: RONDO_URL, else the one that runs on the data folder)')
    .option('--data <folder>', 'data folder (default: RONDO_DATA, else ./.rondo)')
    .option('--json', 'print JSON, for programs')
    .option('--no-color', 'no colours; there are none either when NO_COLOR is set or the output is no terminal')
    .addHelpText(
      'after',
      `\nEnvironment: RONDO_URL, RONDO_DATA, RONDO_DAGS, and RONDO_API_TOKEN for a platform that asks for one.\n${EXIT_HELP}`,
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    });
  const registry: Registry = {
    program,
    action:
      <Args extends readonly unknown[]>(body: (context: Context, ...args: Args) => Promise<void>) =>
      async (...args: unknown[]) => {
        const context = new Context(terminal, program.opts<GlobalOptions>());
        await body(context, ...(args.slice(0, -1) as unknown as Args));
        finished(context.exitCode);
      },
  };
  for (const register of REGISTER) register(registry);
  inherit(program);
  return program;
}

/** Commander copies settings to a subcommand only when it is made by a chain of calls; errors and output must be ours everywhere. */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inherit(child);
  }
}

/** Runs one command line; answers the exit status. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  if (args[0] === 'start') return start(args.slice(1), terminal);
  let exitCode: number = EXIT.ok;
  const program = createProgram(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    return failed(error, args.includes('--json'), terminal);
  }
}

function failed(error: unknown, json: boolean, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const tell = (problem: Problem): void => {
    terminal.stderr.write(json ? `${JSON.stringify({ error: problem })}\n` : problemText(problem));
  };
  if (error instanceof RefusedError) {
    tell(error.problem);
    return EXIT.failed;
  }
  if (error instanceof UsageError) {
    tell({ title: error.message });
    return EXIT.usage;
  }
  if (error instanceof UnreachableError) {
    tell({
      title: error.message,
      allowed: 'start it with "npm start" or "rondo start", or name its address with --url or RONDO_URL',
    });
    return EXIT.unreachable;
  }
  throw error;
}

const inWords = (value: unknown): string => {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  return JSON.stringify(value);
};

/** What is wrong with one field of a request, as the API says it. */
function faultText(fault: unknown): string {
  if (typeof fault !== 'object' || fault === null || !('message' in fault)) return inWords(fault);
  const { name, value, message, allowed } = fault as Readonly<Record<string, unknown>>;
  const said = String(message);
  const given = value === undefined || said.includes(JSON.stringify(value)) ? '' : ` (given: ${JSON.stringify(value)})`;
  const may = allowed === undefined || said.includes(inWords(allowed)) ? '' : `; allowed: ${inWords(allowed)}`;
  return `${name === undefined ? '' : `${String(name)}: `}${said}${given}${may}`;
}

function problemText(problem: Problem): string {
  const lines = [`error: ${problem.title}`];
  const errors = Array.isArray(problem.errors) ? problem.errors : [];
  // The detail of an invalid request says the same as its errors, and less.
  if (errors.length > 0) lines.push(...errors.map((fault) => `  - ${faultText(fault)}`));
  else if (problem.detail !== undefined && problem.detail !== problem.title) lines.push(`  ${problem.detail}`);
  if (problem.allowed !== undefined) lines.push(`  allowed: ${inWords(problem.allowed)}`);
  return `${lines.join('\n')}\n`;
}
