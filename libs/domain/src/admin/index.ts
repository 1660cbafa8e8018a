export * from './events.ts';
export * from './sealed.ts';
