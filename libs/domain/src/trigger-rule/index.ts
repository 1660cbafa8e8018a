export * from './counts.ts';
export * from './evaluate.ts';
export * from './explain.ts';
