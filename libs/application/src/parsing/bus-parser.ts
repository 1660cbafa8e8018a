import { TOPICS } from '@rondo/contracts';
import type { BundleStore, Clock, Consumer, Ids, MessageBus, ParseRequest, ParseResult } from '@rondo/ports';
import { FolderBundles } from './folder-bundles.ts';

/** A file that some worker is to load. `root` is of no use on another machine: its files are in the bundle. */
export interface ParseWanted {
  readonly request: ParseRequest & { readonly bundle: string };
}

export interface ParseAnswer {
  readonly result: ParseResult;
}

export interface BusParserOptions {
  readonly bus: MessageBus;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly bundles: Pick<BundleStore, 'putBundle'>;
  /** Milliseconds after which a question without an answer is asked again. Default 60 s: more than a file may take to load. */
  readonly patienceMs?: number;
  /** Told of questions that are asked again. */
  readonly onNotice?: (text: string) => void;
}

const PATIENCE_MS = 60_000;

interface Question {
  readonly resolve: (result: ParseResult) => void;
  readonly reject: (error: Error) => void;
  cancel: () => void;
}

/** Has DAG files loaded by whichever worker is there: through the bus, with the folder's files as a bundle. */
export class BusParser {
  private readonly options: BusParserOptions;
  private readonly folders: FolderBundles;
  private readonly open = new Map<string, Question>();
  private consumer: Consumer | undefined;
  private stopped = false;

  constructor(options: BusParserOptions) {
    this.options = options;
    this.folders = new FolderBundles(options.bundles);
  }

  async start(): Promise<void> {
    this.consumer = await this.options.bus.consume<ParseAnswer>({
      topic: TOPICS.parseAnswers,
      group: `rondo-parser-${this.options.ids.uuid()}`,
      from: 'now',
      onBatch: (messages) => {
        for (const { value } of messages) this.onAnswer(value);
      },
    });
  }

  /** What is not answered yet is rejected. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const id of this.open.keys()) this.end(id)?.reject(new Error('the service stops'));
    await this.consumer?.close();
  }

  /** Waits as long as there is no worker: a question without an answer is asked again. */
  async parse(request: ParseRequest): Promise<ParseResult> {
    const bundle = request.bundle ?? (await this.folders.pack(request.root));
    const wanted: ParseWanted = { request: { ...request, root: '', bundle } };
    return new Promise((resolve, reject) => {
      if (this.stopped) return reject(new Error('the service stops'));
      this.open.set(request.id, { resolve, reject, cancel: () => undefined });
      this.ask(wanted, 1);
    });
  }

  private ask(wanted: ParseWanted, times: number): void {
    const { bus, clock, patienceMs = PATIENCE_MS, onNotice } = this.options;
    const { id, file } = wanted.request;
    const question = this.open.get(id);
    if (question === undefined) return;
    if (times > 1) onNotice?.(`no worker has answered for '${file}' within ${patienceMs} ms: it is asked again`);
    question.cancel = clock.at(clock.now() + patienceMs, () => this.ask(wanted, times + 1));
    bus
      .publish(TOPICS.parseWanted, [{ key: file, value: wanted }])
      .catch((error: unknown) => this.end(id)?.reject(error as Error));
  }

  private onAnswer({ result }: ParseAnswer): void {
    this.end(result.id)?.resolve(result);
  }

  private end(id: string): Question | undefined {
    const question = this.open.get(id);
    question?.cancel();
    this.open.delete(id);
    return question;
  }
}
