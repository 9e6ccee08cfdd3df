// Signing in: at the identity provider where there is one, else with a token that is pasted.

import { Button, Code, PasswordInput, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { Notice } from '../text/notice.tsx';
import { claimsOf, type Session } from './session.ts';

export interface SignInProps {
  readonly session: Session;
  /** Why it is asked for, where that needs saying. */
  readonly problem?: string | undefined;
  /** Asked again in the middle of something: nothing on the page may be lost. */
  readonly again?: boolean;
  readonly onSignedIn: () => void;
}

export function SignIn({ session, problem, again = false, onSignedIn }: SignInProps) {
  const { oidc, settings } = session;
  const [refused, setRefused] = useState<string>();
  async function atProvider(): Promise<void> {
    if (oidc === undefined) return;
    if (!again) return oidc.redirect();
    try {
      const token = await oidc.again();
      if (token === undefined) return;
      session.signIn(token);
      onSignedIn();
    } catch {
      setRefused('The window of the identity provider was closed, or it did not sign you in.');
    }
  }
  return (
    <Stack>
      {problem !== undefined && <Notice kind="warning">{problem}</Notice>}
      {refused !== undefined && <Notice kind="error">{refused}</Notice>}
      {oidc === undefined ? (
        <TokenForm
          hint={settings.signIn.kind === 'link'}
          onToken={(token) => {
            session.signIn(token);
            onSignedIn();
          }}
        />
      ) : (
        <Button onClick={() => void atProvider()}>Sign in</Button>
      )}
    </Stack>
  );
}

function TokenForm({ hint, onToken }: { hint: boolean; onToken: (token: string) => void }) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string>();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const given = token.trim().replace(/^Bearer\s+/i, '');
        if (claimsOf(given) === undefined)
          return setProblem('This is no bearer token. It has three parts with dots between them.');
        onToken(given);
      }}
    >
      <Stack>
        <PasswordInput
          label="Bearer token"
          description="It stays in this page and is gone when you close it."
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
          error={problem}
          autoComplete="off"
          required
        />
        {hint && (
          <Text size="sm" c="dimmed">
            <Code>npm start</Code> has printed one, and <Code>npm run token</Code> makes others.
          </Text>
        )}
        <Button type="submit">Sign in</Button>
      </Stack>
    </form>
  );
}
