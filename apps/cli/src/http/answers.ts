/** The answers of the API as far as the command line reads them. Times are epoch milliseconds. */
import type { WorkerFacts } from '@rondo/application';
import type { ReasonView } from '@rondo/contracts';
import type { DagDefinition, SensorEvent } from '@rondo/domain';
import type {
  ApprovalRow,
  AssetEventRow,
  AssetRow,
  ConnectionRow,
  DagRow,
  DagRunRow,
  DeadLetter,
  ImportErrorRow,
  Paged,
  PoolRow,
  RenderedFieldsRow,
  TaskInstanceRow,
  VariableRow,
  XComRow,
  LogLine,
} from '@rondo/ports';

export type DagAnswer = DagRow;
export type RunAnswer = DagRunRow;
export type TaskAnswer = TaskInstanceRow;
export type Page<T> = Paged<T>;
export type ImportErrorAnswer = ImportErrorRow;
/** `***` for a key that sounds secret, unless asked to reveal it. */
export type VariableAnswer = Omit<VariableRow, 'sealed'> & { readonly value: string; readonly masked: boolean };
export type ConnectionAnswer = Omit<ConnectionRow, 'sealed'>;
export type PoolAnswer = PoolRow & {
  readonly occupiedSlots: number;
  readonly deferredSlots: number;
  readonly queuedSlots: number;
  /** Null: no limit. */
  readonly openSlots: number | null;
};
export type WorkerAnswer = WorkerFacts;
export type DeadLetterAnswer = Omit<DeadLetter, 'replayed'> & {
  readonly replayedAt: number | null;
  readonly replayedBy: string | null;
};
/** An event that could not be told. */
export interface ParkedAlertAnswer {
  readonly dagId: string | null;
  readonly runId: string | null;
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  readonly at: number | null;
}
/** `outline`: its brackets and the names of its fields. */
export type DeadLetterDetailAnswer = DeadLetterAnswer & { readonly outline: string };
export type ApprovalAnswer = ApprovalRow;
export type RenderedAnswer = Pick<RenderedFieldsRow, 'fields'>;
export interface ImportAnswer {
  readonly imported: number;
}
export type XComAnswer = XComRow;
interface TaskName {
  readonly dagId: string;
  readonly taskId: string;
}
export type AssetAnswer = AssetRow & {
  readonly producers: readonly TaskName[];
  readonly readers: readonly TaskName[];
  readonly consumers: readonly string[];
  readonly aliases: readonly string[];
  readonly events: number;
  readonly updatedAt: number | null;
};
export type AssetEventAnswer = AssetEventRow;
export interface QueuedAnswer {
  readonly dagId: string;
  readonly name: string;
  readonly partitionKey: string | null;
  readonly events: number;
  readonly at: number;
}
export type ReasonAnswer = ReasonView;
export type DagDetail = DagRow & { readonly definition: DagDefinition };
export interface LogAnswer {
  readonly lines: readonly LogLine[];
  readonly next: number;
}
/** Events from outside. */
export interface ReceivedAnswer {
  readonly types: readonly { readonly type: string; readonly events: number }[];
  readonly items: readonly { readonly position: number; readonly receivedAt: number; readonly event: SensorEvent }[];
}
export interface SentAnswer {
  readonly events: readonly {
    readonly id: string;
    readonly source: string;
    readonly type: string;
    readonly position: number;
  }[];
}
export interface EventAnswer {
  readonly position: number;
  readonly revision: number;
  readonly type: string;
  readonly data: { readonly at?: number; readonly taskId?: string };
  readonly meta: { readonly at?: number };
}
