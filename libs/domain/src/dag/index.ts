export * from './assets.ts';
export * from './control.ts';
export * from './decide.ts';
export * from './decision.ts';
export * from './definition.ts';
export * from './events.ts';
export * from './state.ts';
export { previewRuns } from './timetable.ts';
export { failTimetable, runsWanted, tellRuns, type RunsQuery, type ToldState } from './told.ts';
