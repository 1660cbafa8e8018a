import { isUtf8 } from 'node:buffer';

const MOST = 1_000;
/** What a name of a field may look like to be shown. */
const NAME = /^[A-Za-z_][\w.-]{0,63}$/;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|([{}[\],:])|(true|false|null)\b|(\s+)|([^\s"{}[\],:]+|")/gsu;
const HIDDEN = '…';

/**
 * The shape of what should have been JSON: its brackets, and the names of its fields. Texts, numbers and whatever is no JSON are
 * left out, as they may be secrets. At most 1,000 characters. `isCut`: the bytes are only the first of a value.
 */
export function outlineOf(head: Uint8Array, isCut: boolean): string {
  const bytes = Buffer.from(head);
  // The last character may be cut in two.
  const isText = isUtf8(bytes) || (isCut && [1, 2, 3].some((n) => isUtf8(bytes.subarray(0, -n))));
  if (!isText) return '';
  const shown = bytes.toString().replaceAll(TOKEN, (...[, text, colon, mark, word, space]: readonly string[]) => {
    if (text !== undefined) return textOf(text, colon);
    if (space !== undefined) return ' ';
    return mark ?? word ?? HIDDEN;
  });
  const short = shown.replaceAll(/…{2,}/g, HIDDEN);
  return isCut || short.length > MOST ? `${short.slice(0, MOST)} …` : short;
}

function textOf(text: string, colon: string | undefined): string {
  const name = text.slice(1, -1);
  return colon === undefined || !NAME.test(name) ? `"${HIDDEN}"${colon === undefined ? '' : ':'}` : `"${name}":`;
}
