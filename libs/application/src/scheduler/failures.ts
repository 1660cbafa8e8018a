/** Failures of one decision, in a row, after which it is left alone (I12). */
const POISON_LIMIT = 3;

/** Decisions that failed, of a DAG or one of its runs. */
export class Failures {
  /** What is out of the shard's work, by `dagId` or `dagId:runId`, with the reason. */
  private readonly quarantined: Map<string, string>;
  private readonly inRow = new Map<string, number>();

  constructor(quarantined: Map<string, string>) {
    this.quarantined = quarantined;
  }

  /** True: it has failed so often that it is quarantined from here on. */
  note(dagId: string, runId: string | undefined, reason: string): boolean {
    const key = runId === undefined ? dagId : `${dagId}:${runId}`;
    const count = (this.inRow.get(key) ?? 0) + 1;
    this.inRow.set(key, count);
    if (count < POISON_LIMIT) return false;
    this.quarantined.set(key, reason);
    return true;
  }

  /** Their decisions went well. */
  forgive(dagId: string, runIds: Iterable<string>): void {
    if (this.inRow.size === 0) return;
    this.inRow.delete(dagId);
    for (const runId of runIds) this.inRow.delete(`${dagId}:${runId}`);
  }
}
