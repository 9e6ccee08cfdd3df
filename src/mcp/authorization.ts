// What a server that refuses a request says it wants. There is no sign-in here: a token is given by
// the agent file, and what is missing is said.

import { visible } from '../json/visible.ts';

/** undefined: the status is about something else. No address of the answer is in it. */
export function authorizationWanted(status: number, headers: Headers): string | undefined {
  if (status !== 401 && status !== 403) return undefined;
  const challenge = headers.get('www-authenticate') ?? '';
  if (status === 403 && !/insufficient_scope/.test(challenge)) return undefined;
  const [scheme = ''] = /^\w+/.exec(challenge) ?? [];
  const named = (name: string): string | undefined =>
    new RegExp(`\\b${name}="([^"]{1,200})"`).exec(challenge)?.[1];
  const scope = named('scope');
  const oauth = named('resource_metadata') !== undefined;
  const wanted = [
    scheme === '' ? 'an authorization' : `an authorization of the kind ${scheme}`,
    ...(scope === undefined ? [] : [`with the scope "${visible(scope)}"`]),
  ].join(' ');
  const how = oauth
    ? ' It names an OAuth server; signing in there is not done here: obtain a token, and give it'
    : ' Give it';
  return `the server wants ${wanted}.${how} in the agent file under mcp.headers, as Authorization: "Bearer \${NAME}".`;
}
