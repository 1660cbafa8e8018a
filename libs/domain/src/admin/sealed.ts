/** A value encrypted with AES-256-GCM: base64url of nonce (12 bytes), ciphertext and tag (16 bytes), with its key's id. */
export interface Sealed {
  readonly alg: 'A256GCM';
  /** First 8 hex digits of the key's SHA-256: tells which key opens it. */
  readonly kid: string;
  readonly box: string;
}

/** What a connection is, once opened. */
export interface Connection {
  readonly connId: string;
  readonly connType: string;
  readonly host?: string;
  readonly port?: number;
  readonly schema?: string;
  readonly login?: string;
  readonly password?: string;
  readonly extra?: { readonly [key: string]: unknown };
  readonly description?: string;
}
