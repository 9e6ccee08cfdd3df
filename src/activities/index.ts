// The side effects of a run, one file each.

import { createCallModel, type CallModelDeps } from './call-model.ts';
import { createClaimDecision } from './claim-decision.ts';
import { deliverable } from './deliverable.ts';
import { createInPlaceCalls } from './in-place-calls.ts';
import { createRunTool, type RunToolDeps } from './run-tool.ts';
import { createSettleRun } from './settle-run.ts';
import { createSuggestFollowUps } from './suggest-follow-ups.ts';
import { repeatsCancel } from './repeat-cancel.ts';
import type { OperatorDecisions } from '../store/calls/vote-policy.ts';

export interface ActivityDeps extends CallModelDeps, RunToolDeps {
  readonly operatorDecisions: OperatorDecisions;
  /** Of the console, without a slash at its end. */
  readonly pageUrl?: string | undefined;
  /**
   * A terminal state may have released a run: its start is sent now rather than at the outbox's
   * next look.
   */
  readonly onReleased: () => void;
}

export function createActivities(deps: ActivityDeps) {
  const endsCancelled = repeatsCancel(deps);
  const { runTool, runToolInPlace } = createInPlaceCalls(createRunTool(deps));
  return {
    callModel: deliverable(endsCancelled(createCallModel(deps))),
    runTool: deliverable(endsCancelled(runTool)),
    runToolInPlace: deliverable(endsCancelled(runToolInPlace)),
    suggestFollowUps: deliverable(createSuggestFollowUps(deps)),
    settleRun: deliverable(endsCancelled(createSettleRun(deps))),
    claimDecision: deliverable(endsCancelled(createClaimDecision(deps))),
  };
}

export type Activities = ReturnType<typeof createActivities>;
