import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** What a comment `<!-- test { … } -->` over a block says of it. */
export interface Marker {
  /** The block is this file, beside the examples of its page. */
  readonly file?: string;
  /** False: the file must not load. */
  readonly load?: boolean;
  /** A program that running it takes; without it, it is only loaded. */
  readonly needs?: string;
  /** How the run ends. Default `success`. */
  readonly ends?: 'success' | 'failed';
  readonly conf?: unknown;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Answers of a server by path; the connection `shop` leads to it. */
  readonly serves?: Readonly<Record<string, unknown>>;
  /** Expected: states by task id, what tasks returned, direct upstream, a part of the log or of the error. */
  readonly states?: Readonly<Record<string, string>>;
  readonly returned?: Readonly<Record<string, unknown>>;
  readonly upstream?: Readonly<Record<string, readonly string[]>>;
  readonly log?: string;
  readonly error?: string;
  /** The block is what the example with this DAG id prints, but for times. */
  readonly outputOf?: string;
}

export interface Block {
  readonly page: string;
  /** 1-based line of the fence. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  readonly marker: Marker;
}

export interface Page {
  /** Relative to the checkout. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
  /** The text without its fenced blocks, which are blank lines here. */
  readonly prose: string;
}

export function parsePage(path: string, text: string): Page {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  const prose = [...lines];
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(`{3,})(\w*)\s*$/.exec(lines[at]!);
    if (fence === null) continue;
    const end = lines.indexOf(fence[1]!, at + 1);
    if (end === -1) throw new Error(`${path}:${at + 1}: the block is never closed`);
    blocks.push({
      page: path,
      line: at + 1,
      language: fence[2]!,
      text: `${lines.slice(at + 1, end).join('\n')}\n`,
      marker: markerOf(path, at, lines[at - 1] ?? ''),
    });
    prose.fill('', at, end + 1);
    at = end;
  }
  return { path, text, blocks, prose: prose.join('\n') };
}

function markerOf(path: string, line: number, above: string): Marker {
  const comment = /^<!-- test (.*) -->$/.exec(above)?.[1];
  if (comment === undefined) return {};
  try {
    return JSON.parse(comment) as Marker;
  } catch (error) {
    throw new Error(`${path}:${line}: the marker is no JSON: ${comment}`, { cause: error });
  }
}

/** Every page for readers: at the top, in docs (decisions excepted, which speak of their time) and beside the examples. */
export const pages: readonly Page[] = globSync(['*.md', 'docs/*.md', 'dags/*.md'], { cwd: root })
  .sort()
  .map((path) => parsePage(path, readFileSync(join(root, path), 'utf8')));

export function pageAt(path: string): Page {
  const page = pages.find((each) => each.path === path);
  if (page === undefined) throw new Error(`there is no ${path}`);
  return page;
}

/** Texts in backticks. */
export const codeIn = (text: string): readonly string[] =>
  [...text.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map((match) => match[1]!);

/** First cells of the rows of the table that follows a heading or a text. */
export function firstCells(page: Page, after: string): readonly string[] {
  const from = page.prose.indexOf(after);
  if (from === -1) throw new Error(`${page.path} has no '${after}'`);
  const lines = page.prose.slice(from).split('\n');
  const begin = lines.findIndex((line) => line.startsWith('|'));
  const length = lines.slice(begin).findIndex((line) => !line.startsWith('|'));
  return lines
    .slice(begin + 2, length === -1 ? undefined : begin + length)
    .map((line) => line.split(/(?<!\\)\|/)[1]!.trim());
}
