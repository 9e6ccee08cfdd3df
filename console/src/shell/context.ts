// What every page works with: the API with the person's token, and who that is.

import { createContext, useContext } from 'react';
import type { Api } from '../api/api.ts';
import type { Claims } from '../sign-in/session.ts';
import type { ConsoleSettings } from '../../../src/contract/console.ts';

export interface Console {
  readonly api: Api;
  readonly me: Claims;
  readonly settings: ConsoleSettings;
  /** The token that is used now: streams are opened anew when it changes. */
  readonly token: string;
}

export const ConsoleContext = createContext<Console | undefined>(undefined);

export function useConsole(): Console {
  const found = useContext(ConsoleContext);
  if (found === undefined) throw new Error('used outside the signed-in console');
  return found;
}
