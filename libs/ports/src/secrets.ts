import type { Connection, Sealed } from '@rondo/domain';

/** Seals and opens values with AES-256-GCM; the key comes from the environment or a key file. */
export interface SecretBox {
  /** `context` binds the ciphertext to its place (for example `variable:name`): elsewhere it does not open. */
  seal(plain: string, context: string): Sealed;
  open(sealed: Sealed, context: string): string;
}

/** Look-up of variables and connections for an attempt: environment first, then the store. */
export interface SecretLookup {
  variable(key: string): Promise<string | undefined>;
  connection(connId: string): Promise<Connection | undefined>;
}
