/** Keys whose values are not shown to whoever only looks. */
const SECRET_KEY =
  /pass(word|phrase|wd)|secret|token|api_?key|private_?key|credential|authorization|keyfile|service_account|prox(y|ies)$/i;
const MASK = '***';

export interface Masked {
  readonly value: string;
  readonly masked: boolean;
}

/** A variable as it is shown: nothing of it where its key sounds secret; of JSON not what stands under such keys. */
export function maskedVariable(key: string, value: string): Masked {
  if (SECRET_KEY.test(key)) return { value: MASK, masked: true };
  if (!/^\s*[[{]/.test(value)) return { value, masked: false };
  let isMasked = false;
  try {
    const shown = JSON.stringify(JSON.parse(value), (name, inner: unknown) => {
      if (inner === null || !SECRET_KEY.test(name)) return inner;
      isMasked = true;
      return MASK;
    });
    return isMasked ? { value: shown, masked: true } : { value, masked: false };
  } catch {
    return { value, masked: false };
  }
}
