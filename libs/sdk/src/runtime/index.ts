/**
 * What a worker's child process calls.
 *
 * Loading a DAG file:
 *   `withStaticClock(root, () => import(url))` → `collectDags(namespace, file)` → `serialiseDag(dag)`, `referencedFiles(dag, listing)`;
 *   a thrown error becomes data with `importFailure(error, { file, root })`.
 * Running: `executeAttempt(options)` and `runCallback(options)`, neither of which rejects for what user code does.
 */
export * from './contract.ts';
