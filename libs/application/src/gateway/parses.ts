import type { ParseRequest, ParseResult } from '@rondo/ports';
import type { Link, Links } from './links.ts';

interface Asked {
  readonly request: ParseRequest;
  readonly resolve: (result: ParseResult) => void;
  link: Link | undefined;
}

/** Files that workers are to load. A worker that goes away meanwhile is followed by another. */
export class Parses {
  private readonly links: Links;
  private readonly open = new Map<string, Asked>();
  private count = 0;

  constructor(links: Links) {
    this.links = links;
  }

  /** Resolves when a worker has answered, however long there is none. */
  parse(request: ParseRequest): Promise<ParseResult> {
    return new Promise((resolve) => {
      // Two requests may bear one id.
      const id = `${++this.count} ${request.id}`;
      const asked: Asked = {
        request: { ...request, id },
        resolve: (result) => resolve({ ...result, id: request.id }),
        link: undefined,
      };
      this.open.set(id, asked);
      this.place([asked]);
    });
  }

  onParsed(result: ParseResult): void {
    const asked = this.open.get(result.id);
    this.open.delete(result.id);
    asked?.resolve(result);
  }

  onReady(): void {
    this.place([...this.open.values()].filter(({ link }) => link === undefined));
  }

  /** The session has ended, and its answers with it. */
  onClose(closed: Link): void {
    const moved = [...this.open.values()].filter(({ link }) => link === closed);
    for (const each of moved) each.link = undefined;
    this.place(moved);
  }

  private place(asked: readonly Asked[]): void {
    const taking = this.links.helping();
    if (taking.length === 0) return;
    const counts = new Map(taking.map((link) => [link, 0]));
    for (const { link } of this.open.values())
      if (link !== undefined && counts.has(link)) counts.set(link, counts.get(link)! + 1);
    for (const each of asked) {
      const link = taking.reduce((least, one) => (counts.get(one)! < counts.get(least)! ? one : least));
      counts.set(link, counts.get(link)! + 1);
      each.link = link;
      link.send({ kind: 'parse', request: each.request });
    }
  }
}
