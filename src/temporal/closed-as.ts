// How a run is settled whose workflow has closed, by the workflow's status.

import type { RunFailure } from '../contract/names.ts';
import type { TerminalSettlement } from '../store/runs/settle.ts';

const terminated: RunFailure = {
  code: 'TERMINATED',
  message: 'The run was terminated by an operator. Start it again if it is still wanted.',
};
const ended: RunFailure = {
  code: 'TERMINATED',
  message:
    'The workflow of this run ended in Temporal without telling its record. Start it again if it is still wanted.',
};
const lost: RunFailure = {
  code: 'TERMINATED',
  message: 'The workflow of this run is gone. Start it again if it is still wanted.',
};
const recordLost: RunFailure = {
  code: 'RECORD_LOST',
  message:
    'The workflow of this run completed, but its record has lost the end: the database was put back to an earlier state. Look at what the run was to do before starting it again.',
};

export const isOpen = (status: string): boolean =>
  status === 'RUNNING' || status === 'CONTINUED_AS_NEW' || status === 'PAUSED';

export const workflowIsLost: TerminalSettlement = { kind: 'FAILED', failure: lost };

/** `answeredTurn`: the turn of the run's answer, where the record has it. */
export function endOf(
  status: string,
  { answeredTurn }: { readonly answeredTurn: number | null },
): TerminalSettlement {
  switch (status) {
    case 'CANCELLED':
      return { kind: 'CANCELLED' };
    case 'TERMINATED':
      return { kind: 'FAILED', failure: terminated };
    case 'COMPLETED':
      return answeredTurn === null
        ? { kind: 'FAILED', failure: recordLost }
        : { kind: 'COMPLETED', turn: answeredTurn };
    default:
      return { kind: 'FAILED', failure: ended };
  }
}
