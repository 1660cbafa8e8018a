const SKIPPED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const WORD = /[\p{L}_][\p{L}\p{N}_$]*/uy;

/**
 * The statements of a script, without the `;` between them and without those that are only comments. Quotes and comments are
 * seen, and the body of a trigger is one statement with its trigger.
 */
export function splitStatements(script: string): string[] {
  const statements: string[] = [];
  let start = 0;
  let words: string[] = [];
  let depth = 0;
  const flush = (end: number): void => {
    if (words.length > 0) statements.push(script.slice(start, end).trim());
    start = end + 1;
    words = [];
    depth = 0;
  };
  for (let at = 0; at < script.length;) {
    const skipped = match(SKIPPED, script, at);
    if (skipped !== undefined) {
      if (!/^(--|\/\*)/.test(skipped)) words.push('');
      at += skipped.length;
      continue;
    }
    const word = match(WORD, script, at);
    if (word !== undefined) {
      words.push(word.toUpperCase());
      depth += nesting(words);
      at += word.length;
      continue;
    }
    if (script[at] === ';' && depth === 0) flush(at);
    else if (!/\s|;/.test(script[at]!)) words.push('');
    at++;
  }
  flush(script.length);
  return statements;
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** BEGIN opens only in a trigger: elsewhere it begins a transaction. CASE opens there too, since it ends with END. */
function nesting(words: readonly string[]): number {
  const last = words.at(-1);
  if (words[0] !== 'CREATE' || !words.slice(0, 4).includes('TRIGGER')) return 0;
  if (last === 'BEGIN') return words.slice(0, -1).includes('BEGIN') ? 0 : 1;
  if (!words.includes('BEGIN')) return 0;
  return last === 'CASE' ? 1 : last === 'END' ? -1 : 0;
}
