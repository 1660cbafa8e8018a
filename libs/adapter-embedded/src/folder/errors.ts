/** The data folder cannot be used, and why: in words for whoever started the process. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
  readonly reason: 'in-use' | 'newer' | 'unusable';
  constructor(reason: DataFolderError['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}
