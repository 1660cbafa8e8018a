export { decodeEvent, occurredAt, PROJECTED_STREAMS, type DecodedEvent } from './decode.ts';
export { createProjector, PROJECTION_VERSION } from './projector.ts';
export { foldRunView, RunFold, type RunDelta, type RunView } from './run-view.ts';

/** This module, for the thread that projects: it is imported there by its URL. */
export const PROJECTION_MODULE: string = import.meta.url;
