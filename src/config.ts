// The settings: the only file that reads the environment. Every problem is found before any is
// reported. Imports nothing of the project but the parsers: whoever needs a setting is handed it.

import { resolve } from 'node:path';
import * as values from './setting-values.ts';

/** Every setting there is; .env.example lists the same. */
export const SETTINGS = [
  ...['NODE_ENV', 'HOST', 'PORT', 'DATA_DIR', 'AGENTS_DIR', 'OPENAI_BASE_URL', 'OPENAI_API_KEY'],
  ...['HTTPS_PROXY', 'NO_PROXY'],
  ...[
    'TEMPORAL_ADDRESS',
    'TEMPORAL_NAMESPACE',
    'TEMPORAL_TASK_QUEUE',
    'TEMPORAL_UI_URL',
    'TEMPORAL_CLI',
  ],
  ...[
    'TEMPORAL_API_KEY',
    'TEMPORAL_TLS',
    'TEMPORAL_TLS_SERVER_NAME',
    'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  ],
  ...[
    'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
    'TEMPORAL_TLS_CLIENT_CERT_PATH',
    'TEMPORAL_TLS_CLIENT_CERT_DATA',
  ],
  ...['TEMPORAL_TLS_CLIENT_KEY_PATH', 'TEMPORAL_TLS_CLIENT_KEY_DATA'],
  ...[
    'DATABASE_URL',
    'MIGRATION_DATABASE_URL',
    'JWT_SECRET',
    'JWKS_URI',
    'JWT_ISSUER',
    'JWT_AUDIENCE',
  ],
  ...['OIDC_ISSUER', 'OIDC_CLIENT_ID'],
  ...['JWT_ORG_CLAIM', 'JWT_ROLES_CLAIM', 'JWT_SERVICE_CLAIM', 'JWT_MAX_AGE_S'],
  ...[
    'OPERATOR_DECISIONS',
    'SYNC_WAIT_MAX_S',
    'MODEL_PATIENCE_S',
    'EGRESS_ALLOW',
    'CORS_ORIGINS',
    'PUBLIC_URL',
    'RETENTION_DAYS',
    'LOG_LEVEL',
  ],
] as const;

const OPERATOR_DECISIONS = ['full', 'reject-only', 'off'] as const;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type Role = 'start' | 'api' | 'worker' | 'migrate' | 'token';
export type OperatorDecisions = (typeof OPERATOR_DECISIONS)[number];
export type LogLevel = (typeof LOG_LEVELS)[number];
export type ModelSettings =
  | { readonly kind: 'demo' }
  | {
      readonly kind: 'openai';
      readonly baseUrl: string | null;
      readonly apiKey: string | null;
      /** For a model's server behind https; null: reached directly. */
      readonly httpsProxy: string | null;
      readonly noProxy: string | null;
    };
export type AuthSettings =
  | {
      readonly kind: 'secret';
      readonly secret: string;
      /** Demanded where they are set. */
      readonly issuer?: string | null;
      readonly audience?: string | null;
    }
  | {
      readonly kind: 'jwks';
      readonly uri: string;
      readonly issuer: string;
      readonly audience: string;
    }
  /** Neither set, not in production: a secret of our own, kept under the data directory. */
  | { readonly kind: 'development' };
/** As the SDK takes it. */
export interface TlsSettings {
  readonly serverNameOverride?: string;
  readonly serverRootCACertificate?: Uint8Array;
  readonly clientCertPair?: { readonly crt: Uint8Array; readonly key: Uint8Array };
}
export interface TemporalSettings {
  /** null: a development server of our own is started (`npm start` only). */
  readonly address: string | null;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly tls: TlsSettings | null;
  readonly apiKey: string | null;
}
export interface Config {
  readonly role: Role;
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  /** Absolute, as agentsDir. */
  readonly dataDir: string;
  readonly agentsDir: string;
  readonly model: ModelSettings;
  readonly temporal: TemporalSettings;
  readonly temporalCli: string | null;
  /** To be shown, so without a password. */
  readonly temporalUiUrl: string | null;
  /** null: the embedded database under the data directory (`npm start` only). */
  readonly databaseUrl: string | null;
  readonly migrationDatabaseUrl: string | null;
  readonly auth: AuthSettings;
  /** Where people sign in to the console; null: by a token. */
  readonly oidc: { readonly issuer: string; readonly clientId: string } | null;
  readonly orgClaim: string;
  readonly rolesClaim: string;
  readonly serviceClaim: string;
  readonly maxTokenAgeS: number;
  readonly operatorDecisions: OperatorDecisions;
  readonly syncWaitMaxS: number;
  /** How long a run waits for a model that is away; 0: not at all. */
  readonly modelPatienceS: number;
  readonly egressAllow: readonly string[];
  /** Whose pages may call the API from a browser; empty: none. */
  readonly corsOrigins: readonly string[];
  /** Where people reach the API and its page, without a slash at its end; null: where it listens. */
  readonly publicUrl: string | null;
  /** null: kept. */
  readonly retentionDays: number | null;
  readonly logLevel: LogLevel;
  /**
   * What `${NAME}` of an agent file stands for; undefined where unset, and for Holdpoint's own
   * settings.
   */
  readonly secret: (name: string) => string | undefined;
}
export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };
export type Environment = Readonly<Record<string, string | undefined>>;

// Of parts still to come: no agent file may learn to read them before they exist.
const RESERVED = ['AUDIT_KEY', 'PAYLOAD_KEYS', 'EMBEDDING_API_KEY'];

/** Holdpoint's own settings are no agent's to send anywhere. */
export const isOwnSetting = (name: string): boolean =>
  SETTINGS.some((own) => own === name) || RESERVED.includes(name);

type Setting = (typeof SETTINGS)[number];

export function readConfig(env: Environment, role: Role): ConfigResult {
  const problems: string[] = [];
  const text = (name: Setting): string | undefined => env[name]?.trim() || undefined;
  function read<T>(name: Setting, parse: (text: string) => values.Parsed<T>): T | null;
  function read<T>(name: Setting, parse: (text: string) => values.Parsed<T>, byDefault: T): T;
  function read<T>(
    name: Setting,
    parse: (text: string) => values.Parsed<T>,
    byDefault: T | null = null,
  ): T | null {
    const given = text(name);
    if (given === undefined) return byDefault;
    const parsed = parse(given);
    if ('value' in parsed) return parsed.value;
    problems.push(`${name} ${parsed.problem}.`);
    return byDefault;
  }
  const web = values.address(['http:', 'https:']);
  const postgres = values.address(['postgres:', 'postgresql:']);
  const production = text('NODE_ENV') === 'production';
  const serves = role === 'start' || role === 'api';

  const readModel = (): ModelSettings => {
    const baseUrl = read('OPENAI_BASE_URL', values.modelAddress);
    const apiKey = read('OPENAI_API_KEY', values.word);
    const httpsProxy = read('HTTPS_PROXY', web);
    const noProxy = read('NO_PROXY', values.word);
    if (text('OPENAI_BASE_URL') !== undefined || apiKey !== null)
      return { kind: 'openai', baseUrl, apiKey, httpsProxy, noProxy };
    if (production && (role === 'start' || role === 'worker'))
      problems.push(
        'OPENAI_API_KEY or OPENAI_BASE_URL must be set: the demonstration model is refused when NODE_ENV is production.',
      );
    return { kind: 'demo' };
  };

  const readAuth = (): AuthSettings => {
    const secret = read('JWT_SECRET', values.key);
    const uri = read('JWKS_URI', web);
    const issuer = read('JWT_ISSUER', values.word);
    const audience = read('JWT_AUDIENCE', values.word);
    if (text('JWKS_URI') === undefined) {
      if (secret !== null) return { kind: 'secret', secret, issuer, audience };
      if (issuer !== null || audience !== null)
        problems.push(
          'JWT_ISSUER and JWT_AUDIENCE need JWT_SECRET or JWKS_URI, and neither is set.',
        );
      if (production && serves && text('JWT_SECRET') === undefined)
        problems.push(
          'JWT_SECRET (at least 32 bytes) or JWKS_URI must be set when NODE_ENV is production.',
        );
      return { kind: 'development' };
    }
    if (text('JWT_SECRET') !== undefined)
      problems.push('JWT_SECRET and JWKS_URI are both set: use one.');
    if (issuer === null || audience === null)
      problems.push('JWKS_URI needs JWT_ISSUER and JWT_AUDIENCE too.');
    return { kind: 'jwks', uri: uri ?? '', issuer: issuer ?? '', audience: audience ?? '' };
  };

  const readOidc = (): Config['oidc'] => {
    const issuer = read('OIDC_ISSUER', web);
    const clientId = read('OIDC_CLIENT_ID', values.word);
    if ((issuer === null) !== (clientId === null))
      problems.push('OIDC_ISSUER and OIDC_CLIENT_ID go together.');
    return issuer === null || clientId === null ? null : { issuer, clientId };
  };

  const readTls = (apiKey: string | null): TlsSettings | null => {
    const material = (what: 'SERVER_CA_CERT' | 'CLIENT_CERT' | 'CLIENT_KEY'): Uint8Array | null => {
      const data = read(`TEMPORAL_TLS_${what}_DATA`, values.word);
      const file = read(`TEMPORAL_TLS_${what}_PATH`, values.fileContent);
      return data === null ? file : new TextEncoder().encode(data);
    };
    const ca = material('SERVER_CA_CERT');
    const [crt, key] = [material('CLIENT_CERT'), material('CLIENT_KEY')];
    const serverName = read('TEMPORAL_TLS_SERVER_NAME', values.word);
    if ((crt === null) !== (key === null))
      problems.push('TEMPORAL_TLS_CLIENT_CERT_… and TEMPORAL_TLS_CLIENT_KEY_… go together.');
    const wanted = read(
      'TEMPORAL_TLS',
      values.yesOrNo,
      apiKey !== null || ca !== null || crt !== null || serverName !== null,
    );
    if (!wanted) return null;
    return {
      ...(serverName === null ? {} : { serverNameOverride: serverName }),
      ...(ca === null ? {} : { serverRootCACertificate: ca }),
      ...(crt === null || key === null ? {} : { clientCertPair: { crt, key } }),
    };
  };

  const apiKey = read('TEMPORAL_API_KEY', values.word);
  const uiUrl = read('TEMPORAL_UI_URL', web);
  const config: Config = {
    role,
    production,
    host: read('HOST', values.word, '127.0.0.1'),
    port: read('PORT', values.wholeNumber(0, 65_535), 8080),
    dataDir: resolve(read('DATA_DIR', values.word, './.holdpoint')),
    agentsDir: resolve(read('AGENTS_DIR', values.word, './agents')),
    model: readModel(),
    temporal: {
      address: read('TEMPORAL_ADDRESS', values.hostAndPort),
      namespace: read('TEMPORAL_NAMESPACE', values.word, 'default'),
      taskQueue: read('TEMPORAL_TASK_QUEUE', values.word, 'holdpoint'),
      tls: readTls(apiKey),
      apiKey,
    },
    temporalCli: read('TEMPORAL_CLI', values.program),
    temporalUiUrl: uiUrl === null ? null : withoutPassword(uiUrl).replace(/\/+$/, ''),
    databaseUrl: read('DATABASE_URL', postgres),
    migrationDatabaseUrl: read('MIGRATION_DATABASE_URL', postgres),
    auth: readAuth(),
    oidc: readOidc(),
    orgClaim: read('JWT_ORG_CLAIM', values.word, 'org_id'),
    rolesClaim: read('JWT_ROLES_CLAIM', values.word, 'roles'),
    serviceClaim: read('JWT_SERVICE_CLAIM', values.word, 'service'),
    maxTokenAgeS: read('JWT_MAX_AGE_S', values.wholeNumber(1, 10 * 365 * 86_400), 86_400),
    operatorDecisions: read(
      'OPERATOR_DECISIONS',
      values.oneOf(OPERATOR_DECISIONS),
      production ? 'reject-only' : 'full',
    ),
    // Above an agent's default limit of 240 s, below the 300 s at which common clients give up.
    syncWaitMaxS: read('SYNC_WAIT_MAX_S', values.wholeNumber(1, 3600), 270),
    // An outage that lasts longer is news to a person anyway.
    modelPatienceS: read('MODEL_PATIENCE_S', values.wholeNumber(0, 86_400), 900),
    egressAllow: read('EGRESS_ALLOW', values.exceptions, []),
    corsOrigins: read('CORS_ORIGINS', values.origins, []),
    publicUrl: read('PUBLIC_URL', values.pageAddress),
    retentionDays: read('RETENTION_DAYS', values.wholeNumber(1, 36_500)),
    // `npm start` greets its user on the same screen.
    logLevel: read('LOG_LEVEL', values.oneOf(LOG_LEVELS), role === 'start' ? 'warn' : 'info'),
    secret: (name) => (isOwnSetting(name) ? undefined : env[name]),
  };
  if (role === 'api' || role === 'worker') {
    if (text('DATABASE_URL') === undefined)
      problems.push(`DATABASE_URL must be set: npm run ${role} needs a PostgreSQL database.`);
    if (text('TEMPORAL_ADDRESS') === undefined)
      problems.push(`TEMPORAL_ADDRESS must be set: npm run ${role} needs a Temporal server.`);
  }
  if (
    role === 'migrate' &&
    text('DATABASE_URL') === undefined &&
    text('MIGRATION_DATABASE_URL') === undefined
  )
    problems.push(
      'DATABASE_URL or MIGRATION_DATABASE_URL must be set: npm run migrate needs a PostgreSQL database.',
    );
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

export const configFromEnvironment = (role: Role): ConfigResult => readConfig(process.env, role);

const withoutPassword = (address: string): string => {
  const url = new URL(address);
  if (url.password !== '') url.password = '***';
  for (const name of url.searchParams.keys())
    if (/pass|secret|key/i.test(name)) url.searchParams.set(name, '***');
  return url.href;
};

/** What is printed at start, a setting a line. */
export function settingsInForce(config: Config): readonly string[] {
  const { model, temporal, auth, role } = config;
  const lines = [
    `environment          ${config.production ? 'production' : 'development'}`,
    ...(role === 'worker' ? [] : [`API                  ${config.host}:${config.port}`]),
    `data                 ${config.dataDir}`,
    `agents               ${config.agentsDir}`,
    `model                ${model.kind === 'demo' ? 'the built-in demonstration' : model.baseUrl === null ? "OpenAI's" : withoutPassword(model.baseUrl)}`,
    ...(model.kind === 'openai' && model.httpsProxy !== null
      ? [
          `model's proxy        ${withoutPassword(model.httpsProxy)}${model.noProxy === null ? '' : `, not for ${model.noProxy}`}`,
        ]
      : []),
    `Temporal             ${temporal.address ?? 'development server of our own'}, namespace ${temporal.namespace}, task queue ${temporal.taskQueue}${temporal.tls === null ? '' : ', TLS'}${temporal.apiKey === null ? '' : ', API key'}`,
    ...(config.temporalUiUrl === null ? [] : [`Temporal Web UI      ${config.temporalUiUrl}`]),
    `database             ${config.databaseUrl === null ? 'embedded, under the data directory' : withoutPassword(config.databaseUrl)}`,
    `operator decisions   ${config.operatorDecisions}`,
    `longest wait         ${config.syncWaitMaxS} s`,
    `model's absence      ${config.modelPatienceS} s`,
    `egress exceptions    ${config.egressAllow.join(', ') || 'none'}`,
    `retention            ${config.retentionDays === null ? 'kept' : `${config.retentionDays} days`}`,
    `log level            ${config.logLevel}`,
  ];
  if (role === 'worker') return lines;
  const keys = {
    secret: `JWT_SECRET${demandedOf(auth)}`,
    jwks: auth.kind === 'jwks' ? auth.uri : '',
    development: 'a development secret of our own',
  };
  return [
    ...lines,
    `browser origins      ${config.corsOrigins.join(', ') || 'none'}`,
    `page                 ${config.publicUrl ?? 'where the API listens'}`,
    `tokens               ${keys[auth.kind]}, claims ${config.orgClaim} and ${config.rolesClaim}, at most ${config.maxTokenAgeS} s`,
  ];
}

function demandedOf(auth: AuthSettings): string {
  if (auth.kind !== 'secret') return '';
  const missing = [auth.issuer ? [] : 'JWT_ISSUER', auth.audience ? [] : 'JWT_AUDIENCE'].flat();
  return missing.length === 0
    ? ', issuer and audience demanded'
    : `, WARNING: a token for another service is taken too: ${missing.join(' and ')} not set`;
}
