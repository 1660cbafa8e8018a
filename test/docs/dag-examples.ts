import { spawn, spawnSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { root, type Block, type Marker, type Page } from './markdown.ts';

/** A block that is a whole DAG file. */
export interface DagExample {
  readonly title: string;
  readonly dagId: string;
  readonly block: Block;
}

export interface ExampleRequest {
  /** Absolute. */
  readonly file: string;
  readonly folder: string;
  readonly marker: Marker;
  readonly loadOnly: boolean;
  /** The page shows what it prints. */
  readonly isShown: boolean;
}

export interface ExampleResult {
  readonly code: number;
  readonly out: string;
  readonly log: string;
  /** What people see in a terminal, for an example of which a page shows it. */
  readonly shown?: string;
}

export const isDagFile = ({ language, text }: Block): boolean => language === 'ts' && /^export default /m.test(text);

export function dagExamples({ path, blocks }: Page): readonly DagExample[] {
  return blocks.filter(isDagFile).map((block) => {
    const dagId = /\b(?:new Dag\(\s*\{\s*id:|dag\()\s*'([^']+)'/.exec(block.text)?.[1];
    if (dagId === undefined) throw new Error(`${path}:${block.line}: no DAG id is seen in the example`);
    return { title: `${path}:${block.line} ${dagId}`, dagId, block };
  });
}

const nameOf = ({ dagId, block }: DagExample): string => block.marker.file ?? `${dagId}.ts`;

/** Writes the examples of a page, and the files that belong to them, into a folder from which packages are found. */
export async function writePage(page: Page, folder: string): Promise<readonly ExampleRequest[]> {
  await mkdir(folder, { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const examples = dagExamples(page);
  const files = [
    ...examples.map((example) => ({ name: nameOf(example), text: example.block.text })),
    ...page.blocks
      .filter((block) => block.marker.file !== undefined && !isDagFile(block))
      .map((block) => ({ name: block.marker.file!, text: block.text })),
  ];
  for (const { name, text: content } of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return examples.map((example) => {
    const { marker } = example.block;
    const isShown = page.blocks.some((block) => block.marker.outputOf === example.dagId);
    return { file: join(folder, nameOf(example)), folder, marker, loadOnly: isLoadOnly(marker), isShown };
  });
}

/** This machine lacks a program that running the example takes. */
export const isLoadOnly = ({ needs }: Marker): boolean =>
  needs !== undefined && spawnSync(needs, ['--version']).status !== 0;

/** Loads and runs examples one after the other, in a process that knows TypeScript as a worker's does: by leaving types out. */
export async function runExamples(requests: readonly ExampleRequest[], tmp: string): Promise<readonly ExampleResult[]> {
  const child = spawn(
    process.execPath,
    [
      '--enable-source-maps',
      '--import',
      join(root, 'tools/nest-hook.mjs'),
      join(import.meta.dirname, 'run-examples.ts'),
    ],
    { cwd: tmp, env: { PATH: process.env.PATH, TMPDIR: tmp, NODE_OPTIONS: '' } },
  );
  child.stdin.end(JSON.stringify(requests));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [out, log, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`the examples could not be run, exit status ${code}:\n${out}\n${log}`);
  return JSON.parse(out) as readonly ExampleResult[];
}
