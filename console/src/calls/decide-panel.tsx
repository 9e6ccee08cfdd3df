// The decision on one call: approve, reject with a reason, or approve with other arguments. A call
// of high risk is approved by typing its tool's name; an unknown outcome is explained first.

import { Button, Card, Group, List, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { v4 as uuid } from 'uuid';
import type { Arguments, PendingCall, Run } from '../api/types.ts';
import { useConsole } from '../shell/context.ts';
import { Notice } from '../text/notice.tsx';
import { differs, EditForm, type InputSchema } from './edit-form.tsx';
import { castVote, type Vote, type VoteOutcome } from './vote.ts';

export interface DecidePanelProps {
  readonly run: Run;
  readonly call: PendingCall;
  /** Reads the run again: something has happened to it. */
  readonly onChanged: () => void;
  /** What was shown does not wait any more, and the API said why. */
  readonly onOvertaken: (why: string) => void;
}

export function DecidePanel({ run, call, onChanged, onOvertaken }: DecidePanelProps) {
  const { api, me } = useConsole();
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [edited, setEdited] = useState<Arguments>();
  const [sending, setSending] = useState<Vote['action']>();
  const [outcome, setOutcome] = useState<VoteOutcome>();
  // The same decision keeps its key, so that pressing again after a lost reply cannot vote twice.
  const keys = useRef(new Map<string, string>());
  const high = call.risk === 'high' || call.kind === 'OUTCOME_UNKNOWN';
  const confirmed = !high || typed.trim() === call.name;
  const changed = edited !== undefined && differs(call.arguments, edited);
  const approved = call.votes.some((vote) => vote.by === me.subject && vote.action === 'APPROVE');

  async function decide(action: Vote['action']): Promise<void> {
    const vote: Vote = {
      action,
      reason: reason.trim(),
      ...(action === 'APPROVE' && changed ? { arguments: edited } : {}),
    };
    const what = `${call.argumentsHash} ${JSON.stringify(vote)}`;
    const key = keys.current.get(what) ?? uuid();
    keys.current.set(what, key);
    setSending(action);
    const came = await castVote(api, run, call, vote, key);
    setSending(undefined);
    setOutcome(came);
    if (came.kind === 'OVERTAKEN') onOvertaken(came.message);
    if (came.kind === 'TAKEN' || came.kind === 'OVERTAKEN') onChanged();
  }

  return (
    <Card withBorder padding="md" component="section" aria-labelledby="decide">
      <Stack>
        <Title order={2} size="h4" id="decide">
          Your decision
        </Title>
        {call.kind === 'OUTCOME_UNKNOWN' && <UnknownOutcome call={call} />}
        {outcome !== undefined && !(approved && outcome.kind === 'TAKEN') && (
          <Outcome outcome={outcome} />
        )}
        {approved && <Approved call={call} />}
        {edited !== undefined && (
          <EditedArguments run={run} call={call} edited={edited} onChange={setEdited} />
        )}
        <Textarea
          label="Your reason"
          description="Not required. The agent is told it, and it is kept."
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          autosize
          maxRows={6}
        />
        {high && !approved && (
          <TextInput
            label={`Type ${call.name} to confirm`}
            description={
              call.kind === 'OUTCOME_UNKNOWN'
                ? 'Only doing it again needs this.'
                : 'The risk is high: approving needs this, rejecting does not.'
            }
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
          />
        )}
        {call.kind === 'APPROVAL' && !approved && (
          <Text size="sm" c="dimmed">
            {call.votesNeeded > 1
              ? `Approve: it is done once, when ${call.votesNeeded} people have approved it.`
              : 'Approve: it is done once, now.'}{' '}
            Reject: it is not done; the agent is told, and goes on without it. Only the first
            decision counts.
          </Text>
        )}
        <Group>
          {!approved && (
            <Button
              color={call.kind === 'OUTCOME_UNKNOWN' ? 'red.9' : 'green.9'}
              onClick={() => void decide('APPROVE')}
              disabled={!confirmed || sending !== undefined || (edited !== undefined && !changed)}
              loading={sending === 'APPROVE'}
            >
              {approveWord(call, changed)}
            </Button>
          )}
          <Button
            {...(call.kind === 'OUTCOME_UNKNOWN' ? { variant: 'default' } : { color: 'red.9' })}
            onClick={() => void decide('REJECT')}
            disabled={sending !== undefined}
            loading={sending === 'REJECT'}
          >
            {rejectWord(call, approved)}
          </Button>
          {call.kind === 'APPROVAL' && call.votesNeeded === 1 && (
            <Button
              variant="default"
              onClick={() => setEdited(edited === undefined ? call.arguments : undefined)}
            >
              {edited === undefined ? 'Change the details' : 'Keep the proposed details'}
            </Button>
          )}
        </Group>
      </Stack>
    </Card>
  );
}

function approveWord(call: PendingCall, changed: boolean): string {
  if (call.kind === 'OUTCOME_UNKNOWN') return 'Do it again';
  return changed ? 'Approve with my changes' : 'Approve';
}

function rejectWord(call: PendingCall, approved: boolean): string {
  if (call.kind === 'OUTCOME_UNKNOWN') return 'Leave it';
  return approved ? 'Reject after all' : 'Reject';
}

/** One of several votes: the call waits for others now. */
function Approved({ call }: { call: PendingCall }) {
  const missing = call.votesNeeded - call.votes.filter(({ action }) => action === 'APPROVE').length;
  return (
    <Notice kind="done" title="You have approved it">
      It waits for {missing} more {missing === 1 ? 'person' : 'people'}. Until then you may still
      reject it: that ends it.
    </Notice>
  );
}

function UnknownOutcome({ call }: { call: PendingCall }) {
  return (
    <Notice kind="warning" title="This call may have happened already">
      <Text size="sm">
        It was sent, and no complete answer came
        {call.evidence === undefined ? '.' : `: ${call.evidence}.`}
      </Text>
      <List size="sm" mt="xs">
        <List.Item>
          <b>Do it again</b> sends it once more. If the first one did happen, it then has happened
          twice.
        </List.Item>
        <List.Item>
          <b>Leave it</b> sends nothing. The agent is told that nobody knows whether it happened.
        </List.Item>
      </List>
      <Text size="sm" mt="xs">
        Look at the other side first, if you can.
      </Text>
    </Notice>
  );
}

function Outcome({ outcome }: { outcome: VoteOutcome }) {
  switch (outcome.kind) {
    case 'TAKEN':
      return <Notice kind="done">Your vote is recorded.</Notice>;
    case 'OVERTAKEN':
      return (
        <Notice kind="warning" title="Your vote was not counted">
          {outcome.message}
        </Notice>
      );
    case 'REFUSED':
      return (
        <Notice kind="error" title="Your vote was not taken">
          {outcome.message}
        </Notice>
      );
    case 'UNSURE':
      return (
        <Notice kind="error" title="The answer was lost">
          It is not known whether your vote arrived. Press the same button again: it cannot count
          twice.
        </Notice>
      );
  }
}

function EditedArguments({
  run,
  call,
  edited,
  onChange,
}: {
  run: Run;
  call: PendingCall;
  edited: Arguments;
  onChange: (edited: Arguments) => void;
}) {
  const { api } = useConsole();
  const schema = useQuery({
    queryKey: ['schema', run.runId, call.name],
    queryFn: ({ signal }) =>
      api.get<{ inputSchema: InputSchema }>(
        `/api/runs/${run.runId}/calls/${call.callId}/schema`,
        signal,
      ),
    staleTime: Infinity,
    retry: false,
  });
  return (
    <EditForm
      proposed={call.arguments}
      edited={edited}
      schema={schema.data?.inputSchema}
      onChange={onChange}
    />
  );
}
