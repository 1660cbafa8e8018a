import type { Json } from '@rondo/kernel';
import type { Assignment, AttemptRef, CallbackAssignment, WatchAssignment } from '@rondo/domain';
import type { LogLine } from './log-store.ts';
import type { ParseRequest, ParseResult, WorkerReport } from './worker.ts';

/** A partition of `rondo.tasks.ready`, which holds the slots of its pools, and the generation of its owner (I2). */
export interface OwnedPartition {
  readonly partition: number;
  /** Grows with each owner. */
  readonly generation: number;
}

/** What a worker has of one partition: with it a new owner knows what its predecessor had handed out (I2). */
export interface WorkerClaim extends OwnedPartition {
  /** Attempts that it was handed and that have not ended, begun or not. */
  readonly running: readonly string[];
  /** Attempts that have ended, whose results nobody has acknowledged: their reports follow. */
  readonly ended: readonly string[];
}

/** The first frame of a session, from the worker. */
export interface AgentHello {
  /** Unique among the workers of an installation. */
  readonly worker: string;
  /** Unique to the worker's process. */
  readonly boot: string;
  readonly release: string;
  readonly slots: number;
  /** Queues that it serves; `ALL_QUEUES`: every one. */
  readonly queues: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** What its attempts run in: `local`, `kubernetes`. */
  readonly executor: string;
  /** Attempts that an earlier process of this worker had begun and that ended with it: lost. */
  readonly interrupted: readonly string[];
  readonly journalIntact: boolean;
  /** Takes nothing new. */
  readonly draining: boolean;
  /** Takes attempts alone: no watches, callbacks or files to parse. */
  readonly attemptsOnly?: true;
  /** Takes only attempts whose task names its executor. */
  readonly namedOnly?: true;
  /** It was made for this one attempt, and the token proves it: nothing else is handed to it. */
  readonly attempt?: { readonly id: string; readonly token: string };
}

/** What a worker says to a gateway. */
export type AgentFrame =
  | { readonly kind: 'hello'; readonly hello: AgentHello }
  /** The answer to `generations`: from here on it refuses what a lower one of these partitions hands it. */
  | { readonly kind: 'claims'; readonly claims: readonly WorkerClaim[] }
  /**
   * Attempts that this gateway may have with the worker at once; over all gateways never more than its slots. Where all of them
   * are for one gateway, and attempts are very short, it may hand out more: those wait inside the worker.
   */
  | { readonly kind: 'offer'; readonly slots: number }
  | { readonly kind: 'reports'; readonly reports: readonly WorkerReport[] }
  /** Of a generation that has been followed by a higher one: not taken. */
  | {
      readonly kind: 'refused';
      readonly ids: readonly string[];
      readonly partition: number;
      readonly generation: number;
    }
  /** Every third of the lease and at once after the hello; `n` counts from 1. */
  | { readonly kind: 'beat'; readonly n: number }
  | { readonly kind: 'parsed'; readonly result: ParseResult }
  /** A service that a running attempt asks for; the answer bears the same number. */
  | {
      readonly kind: 'call';
      readonly n: number;
      readonly attempt: string;
      readonly method: string;
      readonly args: readonly Json[];
    }
  | { readonly kind: 'draining' }
  /** It has nothing of any gateway any more, and does not come back under this boot: nobody need wait for its claims. */
  | { readonly kind: 'leaving' };

/** What a gateway says to a worker. */
export type GatewayFrame =
  /** The first frame. Milliseconds of the lease: see I3. */
  | { readonly kind: 'welcome'; readonly gateway: string; readonly release: string; readonly leaseMs: number }
  /** Partitions that it owns now. Answered by `claims`. */
  | { readonly kind: 'generations'; readonly owned: readonly OwnedPartition[] }
  | {
      readonly kind: 'assign';
      readonly partition: number;
      readonly generation: number;
      readonly assignments: readonly Assignment[];
    }
  | { readonly kind: 'watch'; readonly watches: readonly WatchAssignment[] }
  | { readonly kind: 'unwatch'; readonly ids: readonly string[] }
  | { readonly kind: 'callbacks'; readonly callbacks: readonly CallbackAssignment[] }
  | { readonly kind: 'cancel'; readonly ids: readonly string[]; readonly reason: string }
  /** The results are durable in the history: the worker may forget them. */
  | { readonly kind: 'acknowledge'; readonly ids: readonly string[] }
  /**
   * `owned`: partitions that the gateway vouches for. The lease of attempts of others runs on from the last answer that had them:
   * whoever owns those now waits for its end (I3). Absent: all.
   */
  | { readonly kind: 'beaten'; readonly n: number; readonly owned?: readonly number[] }
  | { readonly kind: 'parse'; readonly request: ParseRequest }
  | { readonly kind: 'answer'; readonly n: number; readonly value?: Json; readonly error?: string }
  /** How many orders wait at this gateway that the worker could take: it divides its slots by it. */
  | { readonly kind: 'demand'; readonly waiting: number }
  /** Take nothing new; what runs goes on. The worker answers with `draining` and leaves when it is done. */
  | { readonly kind: 'drain' };

/** One side of a session: frames in order, both ways, until it closes. */
export interface Channel<In, Out> {
  /** Who is at the other end, for people. */
  readonly peer: string;
  /** Never throws and never waits; what is sent on a closed channel is dropped. */
  send(frame: Out): void;
  /** Ends the session; `onClose` follows. */
  close(reason: string): void;
  /** Called once, before any other use. Frames that came before are kept for it. */
  listen(events: { readonly onFrame: (frame: In) => void; readonly onClose: (reason: string) => void }): void;
}

export type WorkerChannel = Channel<AgentFrame, GatewayFrame>;
export type GatewayChannel = Channel<GatewayFrame, AgentFrame>;

/** Where a gateway's sessions come from. */
export interface SessionHost {
  /** Resolves when workers can connect. */
  start(onSession: (channel: WorkerChannel) => void): Promise<void>;
  /** Takes no new sessions, and closes those there are. A worker that ends with it lets attempts end for `graceMs` (default 0). */
  stop(graceMs?: number): Promise<void>;
}

/** How a worker reaches one gateway. */
export interface GatewayLine {
  readonly address: string;
  /** Rejects when the gateway cannot be reached; trying again is the caller's business. */
  connect(): Promise<GatewayChannel>;
  /**
   * Hands lines to the gateway's log store, in order, with credit, beside the session. Resolves when they are stored.
   * `again`: they may be there already, as an earlier call was not answered; by the mark of the first of them that is found out.
   */
  appendLog(attempt: AttemptRef, lines: readonly LogLine[], again?: boolean): Promise<void>;
  /** The files of a bundle: path (with `/`) and bytes. Undefined: the gateway's store has no such bundle. */
  fetchBundle(hash: string): Promise<ReadonlyMap<string, Uint8Array> | undefined>;
  close(): Promise<void>;
}
