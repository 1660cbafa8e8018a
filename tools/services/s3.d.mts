export interface S3Server {
  readonly endpoint: string;
  /** Made, and empty. */
  readonly bucket: string;
  readonly port: number;
  readonly pid: number;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Its objects are gone with it. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}
/** What is missing on this machine, with how to get it; nothing: it can run. */
export function missingForS3(): string[];
export function startS3(options?: { readonly port?: number; readonly bucket?: string }): Promise<S3Server>;
