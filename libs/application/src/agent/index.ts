export { WorkerAgent, type WorkerAgentOptions } from './agent.ts';
export { AttemptCalls } from './calls.ts';
