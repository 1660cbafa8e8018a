/** Everything outside of the command line that it touches, so that a test can own it. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** All of the standard input as text. */
  readonly readInput: () => Promise<string>;
  /** Aborted when the user interrupts. Asking for it takes the interrupt over; a second one ends the process. */
  readonly onInterrupt: () => AbortSignal;
}
