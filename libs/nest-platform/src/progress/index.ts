export { LiveTree, type LiveTreeOptions, type ProgressOutput } from './live-tree.ts';
export { elapsed, isFinished, taskName, type ProgressChange, type ProgressRun, type ProgressTask } from './model.ts';
export { paint, plainLine, renderTree, type RenderOptions } from './render.ts';
