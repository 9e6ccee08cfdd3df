// Words that stand in messages, arguments, results and reasons of the recorded runs, and must never
// stand in a history. Arguments of a guarded call and an operator's own words are not among them:
// the Web UI shows them to who decides.

export const CANARY = {
  message: 'canary-message-5d1f',
  argument: 'canary-argument-83b0',
  reason: 'canary-reason-c4e2',
} as const;
