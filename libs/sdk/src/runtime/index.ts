/**
 * What a worker's child process calls.
 *
 * Loading a DAG file:
 *   `withStaticClock(root, () => import(url))` → `collectDags(namespace, file)` → `serialiseDag(dag)`, `referencedFiles(dag, listing)`;
 *   a thrown error becomes data with `importFailure(error, { file, root })`.
 * Running: `executeAttempt(options)` and `runCallback(options)`, neither of which rejects for what user code does.
 * Rendering alone: `renderAttempt(options)`.
 * Waiting: `new Watch(host, input)`, then `watch.look()` when `PokeTimes` says.
 */
export { Metadata } from './assets.ts';
export { collectDags, importFailure } from './collect.ts';
export type * from './contract.ts';
export { executeAttempt, renderAttempt, runCallback } from './execute.ts';
export { referencedFiles } from './references.ts';
export { serialiseDag } from './serialise.ts';
export { Deferral, FailNow, Reschedule, Skip } from './signals.ts';
export { withStaticClock } from './static-clock.ts';
export type * from './task-context.ts';
export { tellRuns } from './tell-runs.ts';
export { PokeTimes, Watch } from './watch.ts';
