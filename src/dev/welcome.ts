// What `npm start` prints once it is ready: where things are, and lines to paste into another
// terminal. Text only; knows nothing but what it is given.

export interface Welcome {
  readonly apiUrl: string;
  /** Signs in by itself, once, where tokens are handed out. */
  readonly consoleUrl: string;
  /** Of Temporal's Web UI; null where TEMPORAL_ADDRESS is set and TEMPORAL_UI_URL is not. */
  readonly uiUrl: string | null;
  /** Of the development server, for the `temporal` command; null where there is none. */
  readonly temporalAddress?: string | null;
  readonly namespace?: string;
  /** null: tokens come from an identity provider. */
  readonly token: string | null;
  readonly agents: readonly string[];
}

const ASK = 'What is the stock price of NVDA?';
const ASK_GUARDED = 'Send an e-mail to ada@example.com with the price of NVDA.';

/** On a line of its own: it is long. */
const whatWaits = (runsInUi: string): readonly string[] => [
  '  What waits',
  `    ${runsInUi}?query=${encodeURIComponent('HoldpointStatus="PAUSED"')}`,
];

/** What is asked about depends on the arguments. */
const refunds = (curl: string): readonly string[] => [
  '# A small refund runs by its rule; of a large one a person is asked, in a sentence.',
  ...['12.50 EUR of order o-1001', '5,000 EUR of order o-1002'].flatMap((what) => [
    `${curl} $API/api/agents/refund_agent/runs \\`,
    `  -d '{"message": "Refund ${what}, it came damaged."}'`,
  ]),
  '',
];

export function welcomeText({
  apiUrl,
  consoleUrl,
  uiUrl,
  temporalAddress = null,
  namespace = 'default',
  token,
  agents,
}: Welcome): string {
  const runsInUi = uiUrl === null ? null : `${uiUrl}/namespaces/${namespace}/workflows`;
  const shipped = agents.includes('finance_agent');
  const agent = shipped ? 'finance_agent' : agents[0];
  const runs = `$API/api/agents/${agent}/runs`;
  const curl = 'curl -sS -H "$AUTH" -H "$JSON"';
  const head = [
    '',
    'Holdpoint is ready.',
    '',
    `  Console          ${consoleUrl}`,
    `  API              ${apiUrl}`,
    ...(runsInUi === null ? [] : [`  Temporal Web UI  ${runsInUi}`, ...whatWaits(runsInUi)]),
    ...(temporalAddress === null ? [] : [`  Temporal         ${temporalAddress}`]),
    `  agents           ${agents.join(', ') || 'none'}`,
    '',
  ];
  if (agent === undefined) return head.join('\n');
  const ask = [
    'Paste this into another terminal:',
    '',
    `API=${apiUrl}`,
    `TOKEN=${token ?? '…   # from your identity provider'}`,
    'AUTH="Authorization: Bearer $TOKEN"; JSON="Content-Type: application/json"',
    '',
    '# Ask.',
    `${curl} ${runs} \\`,
    `  -d '{"message": "${shipped ? ASK : 'Hello.'}"}'`,
    '',
  ];
  if (!shipped) return [...head, ...ask].join('\n');
  const approve = [
    '# Ask for something guarded: the run pauses. Its ids are kept for the next line.',
    `ANSWER=$(${curl} ${runs} \\`,
    `  -d '{"message": "${ASK_GUARDED}"}')`,
    `printf '%s\\n' "$ANSWER"`,
    `RUN_ID=$(printf '%s' "$ANSWER" | sed 's/.*"runId": *"\\([^"]*\\)".*/\\1/')`,
    `PAUSE_ID=$(printf '%s' "$ANSWER" | sed 's/.*"pauseId": *"\\([^"]*\\)".*/\\1/')`,
    '',
    '# Approve it: the e-mail is sent, once, and the run goes on to its answer.',
    `${curl} ${runs}/$RUN_ID/continue \\`,
    `  -d '{"action": "APPROVE", "pauseId": "'$PAUSE_ID'"}'`,
    '',
    '# Read it, and see it in the Web UI.',
    `curl -sS -H "$AUTH" ${runs}/$RUN_ID`,
    ...(runsInUi === null ? [] : [`echo "${runsInUi}/$RUN_ID"`]),
    '',
    ...(agents.includes('refund_agent') ? refunds(curl) : []),
  ];
  return [...head, ...ask, ...approve].join('\n');
}
