export * from './filter.ts';
export * from './sensor-event.ts';
