import type { Sealed } from './sealed.ts';

/** Events of `variable-{key}`. The value is sealed (AES-256-GCM): the history holds no secret in clear. */
export type VariableEvent =
  | {
      readonly type: 'VariableSet';
      readonly data: { readonly key: string; readonly value: Sealed; readonly description?: string };
    }
  | { readonly type: 'VariableDeleted'; readonly data: { readonly key: string } };

/** Events of `connection-{id}`. Everything that is not secret stands beside the sealed whole, for people to read. */
export type ConnectionEvent =
  | {
      readonly type: 'ConnectionSet';
      readonly data: {
        readonly connId: string;
        readonly connType: string;
        readonly host?: string;
        readonly port?: number;
        readonly schema?: string;
        readonly login?: string;
        readonly description?: string;
        readonly sealed: Sealed;
      };
    }
  | { readonly type: 'ConnectionDeleted'; readonly data: { readonly connId: string } };

/** Events of `imports-{file}`: what a parse of a DAG file came to. */
export type ImportEvent =
  | {
      readonly type: 'DagFileFailed';
      readonly data: { readonly file: string; readonly failures: readonly ImportFailure[] };
    }
  | { readonly type: 'DagFileLoaded'; readonly data: DagFileLoadedData }
  | { readonly type: 'DagFileRemoved'; readonly data: { readonly file: string } };

export interface DagFileLoadedData {
  readonly file: string;
  readonly dagIds: readonly string[];
  /** The files that its bundle is made of, relative to the DAG folder. */
  readonly files: readonly string[];
  /** SHA-256 over those files' contents and the release: while it holds the file need not be parsed again. */
  readonly fingerprint: string;
}

export interface ImportFailure {
  readonly file: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
  readonly dagId?: string;
  readonly taskId?: string;
  readonly stack?: string;
}
