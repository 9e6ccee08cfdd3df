// The console of who is signed in. When the token ends in the middle of something, signing in is
// asked for over the page, which stays as it is.

import { Container, Modal, Stack, Title } from '@mantine/core';
import { useEffect, useMemo, useState } from 'react';
import { createApi } from './api/api.ts';
import { CallPage } from './calls/call-page.tsx';
import { useAlerts, useTitle } from './inbox/alerts.ts';
import { useAlertSettings } from './inbox/alert-settings.ts';
import { InboxPage } from './inbox/inbox-page.tsx';
import { InboxContext, useInboxStream } from './inbox/use-inbox.ts';
import { BasePage } from './knowledge/base-page.tsx';
import { KnowledgePage } from './knowledge/knowledge-page.tsx';
import { MemoriesPage } from './knowledge/memories-page.tsx';
import { RunPage } from './runs/run-page.tsx';
import { RunsPage } from './runs/runs-page.tsx';
import { ConsoleContext, useConsole } from './shell/context.ts';
import { usePlace, type Place } from './shell/route.ts';
import { Shell } from './shell/shell.tsx';
import { claimsOf, type Session } from './sign-in/session.ts';
import { SignIn } from './sign-in/sign-in.tsx';
import { TryPage } from './try/try-page.tsx';
import type { AlertSettings } from './inbox/alert-settings.ts';

export function App({ session, problem }: { session: Session; problem?: string | undefined }) {
  const [token, setToken] = useState(session.token);
  const [ended, setEnded] = useState(false);
  const api = useMemo(() => createApi(session.token, () => setEnded(true)), [session]);
  const me = token === undefined ? undefined : claimsOf(token);
  const expiresAt = me?.expiresAt;
  useEffect(() => {
    if (expiresAt === undefined) return;
    // Said when it ends, not at the next thing that is asked for. A day is the longest life.
    const timer = setTimeout(() => setEnded(true), Math.max(0, expiresAt - Date.now()));
    return () => clearTimeout(timer);
  }, [expiresAt]);
  const signedIn = (): void => {
    setToken(session.token());
    setEnded(false);
  };
  if (token === undefined || me === undefined)
    return (
      <Container size="xs" component="main" py="xl">
        <Stack>
          <Title order={1}>Holdpoint</Title>
          <SignIn session={session} problem={problem} onSignedIn={signedIn} />
        </Stack>
      </Container>
    );
  return (
    <ConsoleContext value={{ api, me, settings: session.settings, token }}>
      <Modal
        opened={ended}
        onClose={() => setEnded(false)}
        title="Your token is not taken any more"
        centered
      >
        <SignIn
          session={session}
          again
          problem="Sign in again. What you have typed is still there."
          onSignedIn={signedIn}
        />
      </Modal>
      <Pages />
    </ConsoleContext>
  );
}

function Pages() {
  const place = usePlace();
  const inbox = useInboxStream(useConsole());
  const alerts = useAlertSettings();
  useTitle(inbox.items.length);
  useAlerts(inbox, alerts);
  return (
    <InboxContext value={inbox}>
      <Shell place={place}>
        <Page place={place} alerts={alerts} />
      </Shell>
    </InboxContext>
  );
}

function Page({ place, alerts }: { place: Place; alerts: AlertSettings }) {
  switch (place.page) {
    case 'inbox':
      return <InboxPage alerts={alerts} />;
    case 'runs':
      return <RunsPage />;
    case 'run':
      return <RunPage key={place.runId} runId={place.runId} />;
    case 'call':
      return <CallPage key={place.callId} runId={place.runId} callId={place.callId} />;
    case 'knowledge':
      return <KnowledgePage />;
    case 'base':
      return <BasePage key={place.baseId} baseId={place.baseId} />;
    case 'memories':
      return <MemoriesPage />;
    case 'try':
      return <TryPage />;
  }
}
