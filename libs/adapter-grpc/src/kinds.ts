import type { AgentFrame, GatewayFrame } from '@rondo/ports';

/** Kinds of frames that this release knows: the compiler keeps them whole. */
export const AGENT_KINDS: Readonly<Record<AgentFrame['kind'], true>> = {
  hello: true,
  claims: true,
  offer: true,
  reports: true,
  refused: true,
  beat: true,
  parsed: true,
  call: true,
  draining: true,
  leaving: true,
};

export const GATEWAY_KINDS: Readonly<Record<GatewayFrame['kind'], true>> = {
  welcome: true,
  generations: true,
  assign: true,
  watch: true,
  unwatch: true,
  callbacks: true,
  cancel: true,
  acknowledge: true,
  beaten: true,
  parse: true,
  answer: true,
  demand: true,
  drain: true,
};
