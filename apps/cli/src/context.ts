import { isAbsolute, join } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { RefusedError, UsageError } from './exit-codes.ts';
import { findAddress } from './http/address.ts';
import { ApiClient } from './http/client.ts';
import type { Terminal } from './terminal.ts';

export interface GlobalOptions {
  readonly url?: string;
  readonly data?: string;
  readonly json?: boolean;
  readonly color: boolean;
}

/** What a command works with: the options that all commands have, the API, and how to answer. */
export class Context {
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly color: boolean;
  readonly dataFolder: string;
  readonly api: ApiClient;
  /** What the process will end with, unless the command throws. */
  exitCode = 0;

  constructor(terminal: Terminal, options: GlobalOptions) {
    this.terminal = terminal;
    this.json = options.json === true;
    this.color = options.color && terminal.stdout.isTTY === true && (terminal.env.NO_COLOR ?? '') === '';
    this.dataFolder = this.path(options.data ?? terminal.env.RONDO_DATA ?? '.rondo');
    this.api = new ApiClient(findAddress(options.url, terminal.env, this.dataFolder), terminal.env.RONDO_API_TOKEN);
  }

  get colors(): ReturnType<typeof pc.createColors> {
    return pc.createColors(this.color);
  }

  /** A path as the user gave it, from where the user is. */
  path(given: string): string {
    return isAbsolute(given) ? given : join(this.terminal.cwd, given);
  }

  /** Programs get the value as JSON on one line, people the text. */
  answer(value: unknown, forPeople: () => string): void {
    this.terminal.stdout.write(this.json ? `${JSON.stringify(value)}\n` : ensureNewline(forPeople()));
  }

  say(text: string): void {
    this.terminal.stdout.write(ensureNewline(text));
  }

  warn(text: string): void {
    this.terminal.stderr.write(ensureNewline(text));
  }
}

const ensureNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

/** Where commands are added: makes their context and keeps their exit status. */
export interface Registry {
  readonly program: Command;
  /** The action of a command: its arguments, then its own options. */
  readonly action: <Args extends readonly unknown[]>(
    body: (context: Context, ...args: Args) => Promise<void>,
  ) => (...args: unknown[]) => Promise<void>;
}

/** JSON in an option: the text itself, or `@file`, or `-` for the standard input. */
export async function readJson(context: Context, given: string, name: string): Promise<unknown> {
  const { readFile } = await import('node:fs/promises');
  const source =
    given === '-'
      ? await context.terminal.readInput()
      : given.startsWith('@')
        ? await readGiven(given.slice(1))
        : given;
  try {
    return JSON.parse(source) as unknown;
  } catch (error) {
    throw new UsageError(
      `${name} is not JSON: ${(error as Error).message}; allowed: JSON, @file with JSON, or - for the standard input`,
      { cause: error },
    );
  }

  async function readGiven(file: string): Promise<string> {
    return readFile(context.path(file), 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new RefusedError({ title: `cannot read ${context.path(file)}`, detail: error.message });
    });
  }
}

/** Epoch milliseconds of an ISO date or time; without a zone it is UTC. */
export function parseDate(given: string, name: string): number {
  const zoned = /[Zz]|[+-]\d\d:?\d\d$/.test(given) || !given.includes('T') ? given : `${given}Z`;
  const millis = /^\d{4}-\d\d-\d\d/.test(given) ? Date.parse(zoned) : Number.NaN;
  if (Number.isNaN(millis))
    throw new UsageError(
      `${name} '${given}' is no date; allowed: ISO 8601, such as 2026-03-14 or 2026-03-14T07:30:00Z`,
    );
  return millis;
}

/** A whole number of at least `least`. */
export function parseCount(given: string, name: string, least = 1): number {
  const count = Number(given);
  if (!Number.isInteger(count) || count < least)
    throw new UsageError(`${name} '${given}' is not allowed: a whole number from ${least}`);
  return count;
}

/** A whole number, which may be negative. */
export function parseWhole(given: string, name: string): number {
  if (!/^-?\d{1,9}$/.test(given)) throw new UsageError(`${name} '${given}' is not allowed: a whole number`);
  return Number(given);
}
