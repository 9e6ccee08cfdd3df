// What the fields of the named schemas mean, by `Schema` and `Schema.field`; each must exist (a
// test looks).

export const FIELD_NOTES: Readonly<Record<string, string>> = {
  RunResponse: 'A run, the same at every door.',
  'RunResponse.runId': '`run_` and a UUIDv7; also the id of its workflow in Temporal’s Web UI.',
  'RunResponse.sessionId': 'The given one, or a new UUID.',
  'RunResponse.status': 'COMPLETED, FAILED and CANCELLED never change again.',
  'RunResponse.input': 'The message.',
  'RunResponse.content': 'The final answer, Markdown. Empty unless COMPLETED.',
  'RunResponse.output': 'Always equal to `content`.',
  'RunResponse.tools':
    'Every call that has an outcome, in call order; a rejected call with its refusal as result.',
  'RunResponse.reasoningSteps': 'What the model said it was thinking, in order.',
  'RunResponse.pauseId': 'Only when PAUSED.',
  'RunResponse.pending': 'Only when PAUSED: all calls that are still open.',
  'RunResponse.error': 'Only when FAILED.',
  RunMetadata: 'Sums over the whole run, pauses and repeated attempts included.',
  'RunMetadata.model': 'The one that wrote the answer.',
  'RunMetadata.usageEstimated': 'Present where the provider reported no usage.',
  'RunMetadata.finishReason': '`length`: the answer was cut by `maxTokens`.',
  'RunMetadata.followUps': 'Where they were asked for.',
  'RunMetadata.agentRevision': 'Of the snapshot that the run was started with.',
  'ToolEntry.outcome': 'The call may have happened; nobody will be asked about it any more.',
  'ToolEntry.arguments': 'Those that ran. `{}` where the model’s JSON was broken.',
  'Decision.by': 'Subjects of the tokens that voted so; `operator`; `expiry`.',
  'Decision.proposedArguments': 'What the model had asked for, where the approver changed it.',
  'PendingCall.kind':
    'OUTCOME_UNKNOWN: the call may have happened and must not be repeated. APPROVE does it again, REJECT leaves it.',
  'PendingCall.argumentsHash':
    'SHA-256 of what APPROVE would run, and for whom. Sent back, it makes sure that nothing else is approved.',
  'PendingCall.risk': 'high: approved only by `callId` with `argumentsHash`.',
  'PendingCall.askedAgain': 'It was approved, and is not what was approved any more.',
  'PendingCall.evidence': 'What is known of a call that may have happened.',
  'PendingCall.expiresAt': 'Then it counts as rejected. null: never.',
  'PendingCall.votesNeeded': 'In all, not what is missing.',
  'PendingCall.approvers':
    'Who may decide: `user:…`, `role:…`, `operator`. null: anyone of the org with the scope `runs:approve`.',
  'PendingCall.fourEyes': 'Neither the run’s user nor who started it may decide.',
  'PendingCall.youMay':
    'A vote of the caller could still count: of who has approved already, too, for that can become a rejection.',
  'PendingCall.whyNot': 'Only where `youMay` is false.',
  StartBody: 'What to ask.',
  'StartBody.message': 'Not blank.',
  'StartBody.sessionId':
    'Goes on with a session of one’s own; an unknown one is created. Left out: a new one.',
  'StartBody.userId':
    'Whose run it is. Another than the token’s subject needs the scope `runs:impersonate`.',
  'StartBody.orgId': 'Must be the token’s.',
  'StartBody.generateFollowups':
    'Adds questions that may follow, in `content` and `metadata.followUps`. Default false.',
  'StartBody.media': '`data`: base64, or an http(s) URL.',
  'StartBody.options': '`model` must be one that the agent allows.',
  ContinueBody:
    'A vote: on every open call of the present pause, on one (`callId`), or on several (`decisions`). Taken whole or not at all.',
  WaitingCall: 'A call that waits for a vote the caller may cast, and whose run it is.',
  'WaitingCall.input': 'The question, its first 1,000 characters.',
  'WaitingCall.startedBy': 'The `sub` of the token that started the run.',
  'RunPage.nextCursor': 'Goes into `after` for the next page. null at the end.',
  'WaitingPage.nextCursor': 'Goes into `after` for the next page. null at the end.',
  'SessionPage.nextCursor': 'Goes into `after` for the next page. null at the end.',
  'EventPage.nextCursor': 'Goes into `after` for the next page. null at the end.',
  Session: 'A conversation. It belongs to its org and user.',
  'Session.runCount': 'Runs that were started in it.',
  'Conversation.messages':
    'Of completed exchanges, in order, without follow-ups. Who decides about a run sees them up to that run.',
  'UsageDay.date': 'In UTC, of the start of the runs.',
  'UsageDay.activeMs':
    'Time in which anything was under way; of a run that is not over, up to its last pause.',
  'Usage.from': 'Inclusive.',
  'Usage.to': 'Exclusive: of a date that was given, the end of that day.',
  'Usage.data': 'Days with runs, oldest first.',
  Frame:
    'The `data:` line of a frame. `event` says what `data` is. Exactly one of STOP, CANCELLED and ERROR ends a stream.',
  'StoredEvent.id': 'Also the frame’s `id:` on the stream.',
  Problem: 'Every answer of 400 and above (RFC 9457).',
  'Problem.type': '`urn:holdpoint:problem:` and the code.',
  'Problem.code': 'A closed list; what a program looks at.',
  'Problem.detail': 'What is wrong and what to do about it.',
  'Problem.instance': '`urn:request:` and the request’s id.',
  'Problem.runId': 'Only where the reply to the commit of a start was lost: the run may exist.',
  'Problem.errors': 'What is wrong with each field or parameter, `path` dotted.',
};
