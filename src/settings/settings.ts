// Every setting there is, declared once, by what it is about. A new one is a line here: the compiler
// asks for nothing else, and the tests for .env.example and docs/settings.md to be written anew
// (npm run settings).

import { setting } from './declare.ts';
import * as values from './values.ts';

export const OPERATOR_DECISIONS = ['full', 'reject-only', 'off'] as const;
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const web = values.address(['http:', 'https:']);
const postgres = values.address(['postgres:', 'postgresql:']);
const TEN_YEARS_S = 10 * 365 * 86_400;
const { word } = values;
const most = values.wholeNumber(1, 1_000_000_000);

const general = {
  NODE_ENV: setting(
    word,
    'production: secrets must be given, operators may only reject, the demonstration model is refused.',
    'development',
  ),
  HOST: setting(word, 'The address that the API listens on.', '127.0.0.1'),
  PORT: setting(values.wholeNumber(0, 65_535), 'The port that the API listens on.', '8080'),
  DATA_DIR: setting(word, 'The folder in which `npm start` keeps its data.', './.holdpoint'),
  AGENTS_DIR: setting(word, 'The folder with the agent files.', './agents'),
  METRICS_HOST: setting(
    word,
    'The address that /metrics listens on, in API and worker. It asks for no token.',
    '127.0.0.1',
  ),
  METRICS_PORT: setting(
    values.wholeNumber(0, 65_535),
    'The port of /metrics and of the worker’s /health. 0: none. Where 9464 is taken: any free one, which the log names.',
    '9464',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: setting(
    web,
    'Where traces are sent (OTLP over HTTP), as `http://collector:4318`. Not set: nothing is traced. OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER and OTEL_BSP_… are read by OpenTelemetry itself.',
  ),
  LOG_LEVEL: setting(
    values.oneOf(LOG_LEVELS),
    `${LOG_LEVELS.join(', ')}. With \`npm start\`: warn.`,
    'info',
  ),
};

const model = {
  OPENAI_BASE_URL: setting(
    values.modelAddress,
    'The address of an OpenAI-compatible server. It may carry a query (Azure: ?api-version=…), which stays behind the path of each request. Not set, nor a key: the built-in demonstration model.',
  ),
  OPENAI_API_KEY: setting(word, "The key for the model's server. Set alone: OpenAI's own server."),
  OPENAI_API_KEY_FILE: setting(values.secretFile, 'A file that holds that key, instead.'),
  EMBEDDING_MODEL: setting(
    word,
    'The model that makes vectors of documents, at the same server. Not set: they are searched by their words alone.',
  ),
  HTTPS_PROXY: setting(web, 'A proxy for calls to a model behind an https address.'),
  NO_PROXY: setting(word, 'Hosts that are reached without that proxy.'),
  // An outage that lasts longer is news to a person anyway.
  MODEL_PATIENCE_S: setting(
    values.wholeNumber(0, 86_400),
    'Seconds that a run waits for its model while that is away (connection refused, timeouts, 5xx, 429) once three attempts of each model were in vain. Only waiting: it uses no active time. 0: not at all.',
    '900',
  ),
};

const temporal = {
  TEMPORAL_ADDRESS: setting(
    values.hostAndPort,
    'host:port of the Temporal server. Not set: `npm start` starts a development server and keeps its data under DATA_DIR.',
  ),
  TEMPORAL_NAMESPACE: setting(word, 'The namespace at that server.', 'default'),
  TEMPORAL_TASK_QUEUE: setting(word, 'The task queue that workers poll.', 'holdpoint'),
  TEMPORAL_UI_URL: setting(
    web,
    "The address of Temporal's Web UI, for links that lead an operator there.",
  ),
  TEMPORAL_CLI: setting(
    values.program,
    'The Temporal CLI for the development server of `npm start`, where it is not on PATH.',
  ),
  TEMPORAL_API_KEY: setting(word, 'An API key for a secured server; with it TLS is on.'),
  TEMPORAL_TLS: setting(
    values.yesOrNo,
    'true or false. Not set: on where a key, a certificate or a server name is given.',
  ),
  TEMPORAL_TLS_SERVER_NAME: setting(word, "The name that the server's certificate must carry."),
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: setting(
    values.fileContent,
    'The certificate authority of the server, as a file.',
  ),
  TEMPORAL_TLS_SERVER_CA_CERT_DATA: setting(word, 'The same, as text.'),
  TEMPORAL_TLS_CLIENT_CERT_PATH: setting(values.fileContent, 'Our own certificate, as a file.'),
  TEMPORAL_TLS_CLIENT_CERT_DATA: setting(word, 'The same, as text.'),
  TEMPORAL_TLS_CLIENT_KEY_PATH: setting(values.fileContent, "That certificate's key, as a file."),
  TEMPORAL_TLS_CLIENT_KEY_DATA: setting(word, 'The same, as text.'),
};

const database = {
  DATABASE_URL: setting(
    postgres,
    'The PostgreSQL database. Not set: `npm start` embeds PGlite under DATA_DIR; `npm run api` and `npm run worker` need it.',
  ),
  MIGRATION_DATABASE_URL: setting(
    postgres,
    'The same database as another role, for `npm run migrate`.',
  ),
  MIGRATE_AT_START: setting(
    values.yesOrNo,
    'Whether API and worker migrate when they start: true or false. Not set: where MIGRATION_DATABASE_URL is not.',
  ),
  DATABASE_PASSWORD_FILE: setting(
    values.secretFile,
    'A file that holds the password of DATABASE_URL alone, so that it is in no environment.',
  ),
  MIGRATION_DATABASE_PASSWORD_FILE: setting(
    values.secretFile,
    'The same for MIGRATION_DATABASE_URL.',
  ),
  RETENTION_DAYS: setting(
    values.wholeNumber(1, 36_500),
    'After how many days finished runs are deleted. Not set: never.',
  ),
};

const auditing = {
  AUDIT_KEY: setting(
    values.key,
    'The key that the lines of the audit are sealed with, at least 32 bytes; the same in every process, for as long as the record is kept. Not set: a key of its own under DATA_DIR for `npm start` in development, else nothing is sealed.',
  ),
  AUDIT_KEY_FILE: setting(values.secretFile, 'A file that holds that key, instead.'),
  AUDIT_ANCHOR_FILE: setting(
    word,
    "A file outside the database that keeps the heads of the audit's chain, one a minute while lines come. Not set: none, but for a key of its own one under DATA_DIR.",
  ),
};

const tokens = {
  JWT_SECRET: setting(
    values.key,
    'The secret of HS256 tokens, at least 32 bytes. Neither this nor JWKS_URI, in development: a secret of our own.',
  ),
  JWT_SECRET_FILE: setting(values.secretFile, 'A file that holds that secret, instead.'),
  JWKS_URI: setting(
    web,
    'The key server of RS256, PS256, ES256 and EdDSA tokens; it needs issuer and audience too.',
  ),
  JWT_ISSUER: setting(word, 'The issuer that a token must name. With JWT_SECRET: where it is set.'),
  JWT_AUDIENCE: setting(
    word,
    'The audience that a token must name. With JWT_SECRET: where it is set.',
  ),
  JWT_ORG_CLAIM: setting(word, "The claim that holds the caller's organisation.", 'org_id'),
  JWT_ROLES_CLAIM: setting(word, "The claim that holds the caller's roles.", 'roles'),
  JWT_SERVICE_CLAIM: setting(
    word,
    'The claim that says that the caller is a program and no person.',
    'service',
  ),
  JWT_MAX_AGE_S: setting(
    values.wholeNumber(1, TEN_YEARS_S),
    'The longest life of a token, in seconds.',
    '86400',
  ),
};

const people = {
  OIDC_ISSUER: setting(
    web,
    'The OpenID provider at which people sign in to the console. Not set: they sign in with a token.',
  ),
  OIDC_CLIENT_ID: setting(word, "The console's client id at that provider."),
  OPERATOR_DECISIONS: setting(
    values.oneOf(OPERATOR_DECISIONS),
    "What an operator in Temporal's Web UI may decide: full, reject-only (production's default) or off.",
    'full',
  ),
  PUBLIC_URL: setting(
    values.pageAddress,
    'Where people reach the API and its page: links in webhooks lead there. Not set: the address it listens on.',
  ),
};

const network = {
  // Above an agent's default limit of 240 s, below the 300 s at which common clients give up.
  SYNC_WAIT_MAX_S: setting(
    values.wholeNumber(1, 3600),
    "The longest wait of one request, in seconds: above an agent's time limit, below the 300 s at which common clients give up.",
    '270',
  ),
  // A connection that is closed at the moment a balancer chooses it loses a request.
  KEEP_ALIVE_S: setting(
    values.wholeNumber(1, 3600),
    'Seconds that a connection is kept without a request: longer than the balancer in front keeps it (60 s is common).',
    '65',
  ),
  MAX_CONNECTIONS: setting(
    values.wholeNumber(1, 1_000_000),
    'Connections that the API holds at once, streams and waiting callers included; more are refused.',
    '5000',
  ),
  EGRESS_ALLOW: setting(
    values.exceptions,
    'Private addresses that may be fetched for users, models and redirects: host, host:port or CIDR, with commas between. Not set: none.',
  ),
  CORS_ORIGINS: setting(
    values.origins,
    'Origins of web pages that may call the API from a browser, with commas between. Not set: none.',
  ),
};

const limits = {
  LIMIT_REQUESTS_PER_USER: setting(
    most,
    'Requests a minute of one user, at all processes together. More are refused with 429, as for the other limits.',
    '6000',
  ),
  LIMIT_REQUESTS_PER_ORG: setting(most, 'Requests a minute of all users of an org.', '60000'),
  // Two fifths of MAX_CONNECTIONS: one user cannot take the connections of all.
  LIMIT_OPEN_REQUESTS_PER_USER: setting(
    most,
    'Requests of one user that one process of the API holds open at once: streams, and callers that wait for a run.',
    '2000',
  ),
  LIMIT_RUNS_PER_ORG: setting(
    most,
    'Runs of one org that are under way at once. Those that wait for people, or behind another run of their session, are not counted.',
    '1000',
  ),
  LIMIT_RUNS_PER_AGENT: setting(most, 'The same for one agent in one org.', '500'),
  LIMIT_PAUSED_PER_ORG: setting(
    most,
    'Runs of one org that wait for people: from then on it starts no new ones.',
    '100000',
  ),
};

const admin = {
  HOLDPOINT_URL: setting(
    web,
    'Where the admin commands (`npx holdpoint`) reach the API.',
    'http://127.0.0.1:8080',
  ),
  HOLDPOINT_TOKEN: setting(word, 'The token that they use.'),
};

/** As .env.example and the docs show them. */
export const SETTING_GROUPS = {
  General: general,
  Model: model,
  Temporal: temporal,
  Database: database,
  Audit: auditing,
  Tokens: tokens,
  People: people,
  Network: network,
  Limits: limits,
  'Admin commands': admin,
} as const;

export const SETTINGS = {
  ...{ ...general, ...model, ...temporal, ...database, ...auditing },
  ...{ ...tokens, ...people, ...network, ...limits, ...admin },
} as const;

export type SettingName = keyof typeof SETTINGS;

// Of parts still to come, and one that OpenTelemetry reads: no agent file may learn to read them.
const RESERVED = ['PAYLOAD_KEYS', 'EMBEDDING_API_KEY', 'OTEL_EXPORTER_OTLP_HEADERS'];

/** Holdpoint's own settings are no agent's to send anywhere. */
export const isOwnSetting = (name: string): boolean =>
  Object.hasOwn(SETTINGS, name) || RESERVED.includes(name);
