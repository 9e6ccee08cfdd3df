// One call: what will happen, what led to it, the decision, and what came of it.

import { Anchor, Badge, Card, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { ApiProblem, sentenceOf } from '../api/api.ts';
import type { PendingCall, Run, ToolEntry } from '../api/types.ts';
import { whoElse } from '../inbox/who-else.ts';
import { RunOutcome } from '../runs/run-outcome.tsx';
import { useRun } from '../runs/use-run.ts';
import { useConsole } from '../shell/context.ts';
import { linkTo } from '../shell/route.ts';
import { Citations } from '../text/citations.tsx';
import { Notice } from '../text/notice.tsx';
import { Time } from '../text/time.tsx';
import { VisibleText } from '../text/visible-text.tsx';
import { ArgumentView } from './argument-view.tsx';
import styles from './call-page.module.css';
import { CallStory, Question } from './call-story.tsx';
import { DecidePanel } from './decide-panel.tsx';
import { decidedBy } from './decided-by.ts';
import { Earlier } from './earlier.tsx';
import { ToolDefinition } from './tool-definition.tsx';

export function CallPage({ runId, callId }: { runId: string; callId: string }) {
  const { run, error, refresh } = useRun(runId);
  const { me } = useConsole();
  const [seen, setSeen] = useState<PendingCall>();
  const [overtaken, setOvertaken] = useState<string>();
  const call = run?.pending?.find((one) => one.callId === callId);
  if (call !== undefined && call !== seen) setSeen(call);
  if (error !== null)
    return (
      <Notice kind="error" title="This call cannot be shown">
        {error instanceof ApiProblem && error.status === 404
          ? 'There is no such run, or you may not see it.'
          : sentenceOf(error)}
      </Notice>
    );
  if (run === undefined) return <Loader aria-label="Loading" />;
  const done = run.tools.find((one) => one.callId === callId);
  return (
    <Stack>
      <Anchor href={linkTo.inbox} size="sm">
        ← Waiting for you
      </Anchor>
      {call === undefined && seen !== undefined && (
        <Meanwhile run={run} done={done} me={me.subject} overtaken={overtaken} />
      )}
      {call === undefined ? (
        <Decided run={run} done={done} summary={unedited(done) ? seen?.summary : undefined} />
      ) : (
        <Open run={run} call={call} />
      )}
      {call !== undefined &&
        (call.youMay === false ? (
          <Notice kind="warning" title="You cannot decide this call">
            {call.whyNot ?? 'Its policy asks for others.'}
          </Notice>
        ) : (
          <DecidePanel
            // Asked again in another pause, or about other details, it is another decision.
            key={`${run.pauseId} ${call.argumentsHash}`}
            run={run}
            call={call}
            onChanged={refresh}
            onOvertaken={setOvertaken}
          />
        ))}
      {call === undefined && <RunOutcome run={run} />}
      <CallStory run={run} callId={callId} open={call} />
      <Anchor href={linkTo.run(runId)} size="sm">
        The whole run
      </Anchor>
    </Stack>
  );
}

/** The sentence that was read is of the arguments that were proposed. */
const unedited = (done: ToolEntry | undefined): boolean =>
  done?.decision?.proposedArguments === undefined;

/** The call was open on this page and is not any more: why, where the reader did not do it. */
function Meanwhile({
  run,
  done,
  me,
  overtaken,
}: {
  run: Run;
  done: ToolEntry | undefined;
  me: string;
  overtaken: string | undefined;
}) {
  if (overtaken !== undefined)
    return (
      <Notice kind="warning" title="Your vote was not counted">
        {overtaken}
      </Notice>
    );
  const by = done?.decision?.by;
  if (by?.includes('expiry'))
    return <Notice kind="warning">Its time ran out while you looked at it.</Notice>;
  if (run.status === 'CANCELLED')
    return <Notice kind="warning">The run was cancelled while you looked at it.</Notice>;
  if (by !== undefined && !by.includes(me))
    return <Notice kind="warning">It was decided while you looked at it.</Notice>;
  return null;
}

function Open({ run, call }: { run: Run; call: PendingCall }) {
  const unknown = call.kind === 'OUTCOME_UNKNOWN';
  const wish = `The agent ${run.agentId} wants to use the tool ${call.name}`;
  return (
    <Card withBorder padding="md" component="section" aria-labelledby="call">
      <Stack gap="sm">
        <Group gap="xs">
          <Title order={1} size="h3" id="call" className={styles['sentence'] ?? ''}>
            {unknown ? `Did ${call.name} happen?` : (call.summary ?? wish)}
          </Title>
          {call.risk === 'high' && (
            <Badge color="red" variant="filled" tt="none" autoContrast>
              High risk
            </Badge>
          )}
        </Group>
        {call.summary !== undefined && (
          <Text size="sm" className={styles['sentence'] ?? ''}>
            {unknown ? call.summary : wish}
          </Text>
        )}
        {call.description !== undefined && call.toolNow === undefined && (
          <Text>{call.description}</Text>
        )}
        <Question run={run} />
        {call.rule !== undefined && (
          <Text size="sm">
            Asked by the rule {call.rule.name}
            {call.rule.problem !== undefined
              ? ', which could not be judged'
              : call.rule.reason !== undefined && `: ${call.rule.reason}`}
          </Text>
        )}
        <Beside call={call} />
        {call.modelText !== undefined && (
          <>
            <Text size="sm" c="dimmed">
              The model’s own words, which nobody has checked:
            </Text>
            <VisibleText text={call.modelText} />
          </>
        )}
        {call.askedAgain !== undefined && (
          <Notice kind="warning" title="You are asked again">
            {call.askedAgain === 'TOOL_CHANGED'
              ? 'The tool is not the one that was approved, or that the agent was given. Nothing was sent.'
              : 'The details are not the ones that were approved. Nothing was sent.'}
          </Notice>
        )}
        <ToolDefinition call={call} />
        <Details call={call} />
        <Citations of={call.citations ?? []} label="What the agent had read before it asked" />
        <Earlier call={call} />
        <Text size="xs" c="dimmed">
          Asked <Time at={call.requestedAt} /> for {run.userId}
          {call.expiresAt === null ? (
            ' · does not expire'
          ) : (
            <>
              {' '}
              · counts as rejected <Time at={call.expiresAt} />
            </>
          )}
          {' · '}
          {whoElse(call)}
        </Text>
        {call.votes.map((vote) => (
          <Text size="sm" key={`${vote.by} ${vote.at}`}>
            {vote.by} {vote.action === 'APPROVE' ? 'approved' : 'rejected'} <Time at={vote.at} />
          </Text>
        ))}
      </Stack>
    </Card>
  );
}

/** Folded where a sentence says them all; never for a call of high risk. */
function Details({ call }: { call: PendingCall }) {
  const title = 'Exactly these details are sent';
  if (call.summary !== undefined && call.risk !== 'high')
    return (
      <details>
        <summary>{title}</summary>
        <ArgumentView given={call.arguments} />
      </details>
    );
  return (
    <>
      <Text size="sm" c="dimmed">
        {title}:
      </Text>
      <ArgumentView given={call.arguments} />
    </>
  );
}

function Decided({
  run,
  done,
  summary,
}: {
  run: Run;
  done: ToolEntry | undefined;
  summary: string | undefined;
}) {
  const decision = done?.decision;
  return (
    <Card withBorder padding="md" component="section" aria-labelledby="call">
      <Stack gap="sm">
        <Title order={1} size="h3" id="call">
          {headline(done)}
        </Title>
        {summary !== undefined && (
          <Text fw={600} className={styles['sentence'] ?? ''}>
            {summary}
          </Text>
        )}
        {decision !== undefined && (
          <Text>
            {decidedBy(decision.action, decision.by)} <Time at={decision.at} />
            {decision.reason !== undefined && `: ${decision.reason}`}
          </Text>
        )}
        {done !== undefined && (
          <>
            <ArgumentView given={done.arguments} />
            <Text size="sm" fw={600}>
              What the tool answered
            </Text>
            <VisibleText text={done.result === '' ? '(nothing)' : done.result} />
          </>
        )}
        {done === undefined && (
          <Text>
            {run.status === 'RUNNING' || run.status === 'PAUSED'
              ? 'It is decided, and being carried out.'
              : 'The run ended before it was carried out: nothing was sent.'}
          </Text>
        )}
      </Stack>
    </Card>
  );
}

/** What bears on the call beside its own details. */
function Beside({ call }: { call: PendingCall }) {
  return (
    <>
      {call.effectKey !== undefined && (
        <Text size="sm">Done once in your organization, under the name {call.effectKey}</Text>
      )}
      {(call.grantsNear ?? []).map(({ grantId, why }) => (
        <Text key={grantId} size="sm">
          The grant {grantId} does not cover it: {why}
        </Text>
      ))}
    </>
  );
}

function headline(done: ToolEntry | undefined): string {
  if (done === undefined) return 'This call does not wait any more';
  if (done.outcome === 'UNKNOWN') return `Nobody knows whether the tool ${done.name} was used`;
  if (done.decision?.action === 'REJECT') return `The tool ${done.name} was not used`;
  if (done.decision?.action === 'APPROVE' || done.decision === undefined)
    return done.isError
      ? `The tool ${done.name} was used, and failed`
      : `The tool ${done.name} was used`;
  return `The call of ${done.name} was taken back`;
}
