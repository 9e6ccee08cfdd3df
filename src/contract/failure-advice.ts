// What an operator does about a run that failed, by the code it failed with: one sentence, which
// follows the failure's own in Temporal. Imports nothing but names: the workflow sandbox loads it.

import type { FailureCode } from './names.ts';

const AGAIN = 'retry the run (npx holdpoint retry): it goes on from its last recorded turn.';

const ADVICE: Readonly<Record<FailureCode, string>> = {
  MODEL_UNAVAILABLE: `When the model's server is back, ${AGAIN}`,
  MODEL_RATE_LIMITED: `Wait, or have the provider's limit raised, then ${AGAIN}`,
  MODEL_REJECTED: `Mend what the model's server refuses (the key, the model's name, the agent file), then ${AGAIN}`,
  MODEL_INCOMPLETE: `Retry the run (npx holdpoint retry); if it comes again, raise maxTokens in the agent file.`,
  CONTEXT_TOO_LONG: 'Ask in a new session, or give the agent a model with a longer context.',
  BUDGET_EXCEEDED: `To let it use as much once more, ${AGAIN} For runs to come raise the limit in the agent file.`,
  OUTPUT_TOO_LARGE: 'Ask for less at once, in a new run.',
  MEDIA_UNAVAILABLE: 'Send the media again, in a new run.',
  TERMINATED: `Find out who ended it, then ${AGAIN} What may have happened is asked about.`,
  RECORD_LOST: `See what its calls, shown as unknown, have done, then ${AGAIN}`,
  INTERNAL: `Read the worker's log line "a run failed" with this run's id; then ${AGAIN}`,
};

export const whatToDo = (code: FailureCode): string => `What to do: ${ADVICE[code]}`;
