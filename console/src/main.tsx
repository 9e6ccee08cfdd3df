// The page's beginning: who is signed in, then the console.

import { Anchor, createTheme, MantineProvider, type CSSVariablesResolver } from '@mantine/core';
import '@mantine/core/styles.css';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { setNonce } from 'get-nonce';
import { createRoot } from 'react-dom/client';
import { ApiProblem } from './api/api.ts';
import { App } from './app.tsx';
import { openSession } from './sign-in/session.ts';
import { readSettings } from './sign-in/settings.ts';

/** The page's policy lets style elements in that carry it, and no others. */
const nonce = document.querySelector('meta[name="style-nonce"]')?.getAttribute('content') ?? '';
setNonce(nonce);

const theme = createTheme({
  primaryColor: 'blue',
  primaryShade: { light: 8, dark: 8 },
  // A link within a sentence must not be told by its colour alone.
  components: { Anchor: Anchor.extend({ defaultProps: { underline: 'always' } }) },
});

/** Mantine's grey for secondary text is too light to be read by everybody (WCAG AA wants 4.5:1). */
const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: { '--mantine-color-dimmed': '#5c636a', '--mantine-color-placeholder': '#5c636a' },
  dark: { '--mantine-color-dimmed': '#a6abb2', '--mantine-color-placeholder': '#a6abb2' },
});

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal stays one; what could not be reached is tried again.
      retry: (count, error) =>
        count < 5 && !(error instanceof ApiProblem && error.status < 500 && error.status !== 429),
    },
  },
});

const root = createRoot(document.getElementById('root') as HTMLElement);
const { session, problem } = await openSession(await readSettings());
root.render(
  <MantineProvider
    theme={theme}
    cssVariablesResolver={variables}
    getStyleNonce={() => nonce}
    defaultColorScheme="auto"
  >
    <QueryClientProvider client={queries}>
      <App session={session} problem={problem} />
    </QueryClientProvider>
  </MantineProvider>,
);
