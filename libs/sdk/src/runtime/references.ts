import { posix } from 'node:path';
import type { Dag } from '../authoring/dag.ts';
import { isPlain, isSource, SOURCE, type Expression } from '../authoring/source.ts';

const { dirname, join, matchesGlob, normalize } = posix;

/**
 * The files of the DAG folder that a DAG names, sorted: what its bundle holds beside its code, and so a part of its version.
 *
 * A file counts when a text among the arguments of a task holds its name as a word (between blanks, quotes or the marks that
 * a shell parts words with), relative to the DAG file's folder, to a templateSearchPath or to the DAG folder; the name of a
 * folder stands for all in it. A Python file brings the Python files and packages beside it. Folders of templateSearchPath and
 * the globs of `files` count whole. `listing`: every file of the DAG folder, relative, with `/`. `read` gives a file's text,
 * for the templates among the named files: what they include counts too.
 */
export function referencedFiles(
  dag: Dag,
  listing: readonly string[],
  read?: (file: string) => string | undefined,
): readonly string[] {
  const tree = new Tree(listing);
  const home = dirname(dag.file);
  const searchPath = (dag.options.templateSearchPath ?? []).map((folder) => join(home, folder));
  const bases = [home, ...searchPath, '.'];
  const found = new Set<string>();
  const queue: string[] = [];
  const add = (file: string): void => {
    if (found.has(file)) return;
    found.add(file);
    queue.push(file);
  };
  const addNamed = (text: string): void => {
    for (const word of wordsOf(text))
      for (const base of bases) for (const file of tree.named(join(base, word), word)) add(file);
  };
  for (const folder of searchPath) for (const file of tree.under(folder)) add(file);
  for (const pattern of dag.options.files ?? []) for (const file of tree.matching(join(home, pattern))) add(file);
  for (const task of dag.tasks) eachText(task.given, addNamed);
  for (const { mapping } of [...dag.tasks, ...dag.groups])
    for (const { list } of mapping?.over ?? [])
      eachText(isSource(list) || Array.isArray(list) ? list : Object.entries(list), addNamed);
  const templates = new Set(dag.tasks.flatMap((task) => task.templateExtensions));
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (file.endsWith('.py')) for (const sibling of tree.python(dirname(file))) add(sibling);
    if (read !== undefined && [...templates].some((extension) => file!.endsWith(extension))) addNamed(read(file) ?? '');
  }
  return [...found].sort();
}

/** The whole text, its parts between blanks and quotes, and their parts between the marks of a shell. */
function wordsOf(text: string): Set<string> {
  const words = [text, ...text.split(/[\s'"`]+/), ...text.split(/[\s'"`()<>|;&=,{}$]+/)];
  return new Set(words.filter((word) => word !== '' && word.length <= 1_024 && !word.startsWith('/')));
}

function eachText(value: unknown, visit: (text: string) => void, seen = new Set<object>()): void {
  if (typeof value === 'string') return visit(value);
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (isSource(value)) {
    // Literals may be among what a list is made of.
    const ref: Expression = value[SOURCE];
    if (ref.kind === 'map' || ref.kind === 'zip' || ref.kind === 'concat') eachText(ref.of, visit, seen);
    return;
  }
  if (value instanceof Map || value instanceof Set) for (const each of value.values()) eachText(each, visit, seen);
  else if (Array.isArray(value) || isPlain(value)) for (const each of Object.values(value)) eachText(each, visit, seen);
}

class Tree {
  readonly #files: ReadonlySet<string>;
  readonly #folders = new Map<string, string[]>();

  constructor(listing: readonly string[]) {
    this.#files = new Set(listing);
    for (const file of listing)
      for (let folder = dirname(file); ; folder = dirname(folder)) {
        const inside = this.#folders.get(folder);
        if (inside === undefined) this.#folders.set(folder, [file]);
        else inside.push(file);
        if (folder === '.') break;
      }
  }

  /** The file of that path, or all files of the folder; the DAG folder as a whole is never meant. */
  named(path: string, word: string): readonly string[] {
    if (/^[./]*$/.test(word)) return [];
    const clean = normalize(path).replace(/\/$/, '');
    if (clean === '.' || clean.startsWith('..')) return [];
    return this.#files.has(clean) ? [clean] : this.under(clean);
  }

  under(folder: string): readonly string[] {
    return this.#folders.get(normalize(folder).replace(/\/$/, '')) ?? [];
  }

  matching(pattern: string): readonly string[] {
    const whole = this.under(pattern);
    return whole.length > 0 ? whole : [...this.#files].filter((file) => matchesGlob(file, pattern));
  }

  /** Python files of a folder, and those of the packages in it. */
  python(folder: string): readonly string[] {
    return this.under(folder).filter((file) => {
      if (!file.endsWith('.py')) return false;
      for (let at = dirname(file); at !== folder; at = dirname(at))
        if (!this.#files.has(`${at}/__init__.py`)) return false;
      return true;
    });
  }
}
