// The settings of a process. The only file that reads the environment; code that needs a setting is
// handed it. Which settings there are is in settings/settings.ts.

import { resolve } from 'node:path';
import { readAuth, readOidc, type AuthSettings, type OidcSettings } from './settings/auth.ts';
import { withoutPassword } from './settings/in-force.ts';
import { readLimits, type LimitSettings } from './settings/limits.ts';
import { readModel, type ModelSettings } from './settings/model.ts';
import { databaseAddress, secretOf } from './settings/secret-files.ts';
import { createSettingsReader, type Environment, type SettingsReader } from './settings/read.ts';
import {
  isOwnSetting,
  SETTINGS,
  type LOG_LEVELS,
  type OPERATOR_DECISIONS,
} from './settings/settings.ts';
import { key } from './settings/values.ts';
import { readTemporal, type TemporalSettings } from './settings/temporal.ts';

export type Role = 'start' | 'api' | 'worker' | 'migrate' | 'token' | 'reembed' | 'verify-audit';

export interface Config {
  readonly role: Role;
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  /** Absolute, as agentsDir. */
  readonly dataDir: string;
  readonly agentsDir: string;
  /** How the admin commands reach the API. */
  readonly admin: { readonly url: string; readonly token: string | null };
  /** null: none. */
  readonly metrics: {
    readonly host: string;
    readonly port: number;
    /** Several on one machine: instead of the default any free one will do. */
    readonly mayMove: boolean;
  } | null;
  /** Base address of an OTLP receiver; null: nothing is traced. */
  readonly traces: string | null;
  readonly model: ModelSettings;
  readonly temporal: TemporalSettings;
  readonly temporalCli: string | null;
  /** To be shown, so without a password. */
  readonly temporalUiUrl: string | null;
  /** null: the embedded database under the data directory (`npm start` only). */
  readonly databaseUrl: string | null;
  readonly migrationDatabaseUrl: string | null;
  /** API and worker bring the schema up to date when they start. */
  readonly migrateAtStart: boolean;
  /** Seals the audit; null: not set. */
  readonly auditKey: string | null;
  /** Absolute; null: not set. */
  readonly auditAnchorFile: string | null;
  readonly auth: AuthSettings;
  /** Where people sign in to the console; null: by a token. */
  readonly oidc: OidcSettings | null;
  readonly orgClaim: string;
  readonly rolesClaim: string;
  readonly serviceClaim: string;
  readonly maxTokenAgeS: number;
  readonly operatorDecisions: (typeof OPERATOR_DECISIONS)[number];
  readonly syncWaitMaxS: number;
  /** How long a connection is kept without a request. */
  readonly keepAliveS: number;
  readonly maxConnections: number;
  readonly limits: LimitSettings;
  /** How long a run waits for a model that is away; 0: not at all. */
  readonly modelPatienceS: number;
  readonly egressAllow: readonly string[];
  /** Whose pages may call the API from a browser; empty: none. */
  readonly corsOrigins: readonly string[];
  /** Where people reach the API and its page, without a slash at its end; null: where it listens. */
  readonly publicUrl: string | null;
  /** null: kept. */
  readonly retentionDays: number | null;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /**
   * The value of `${NAME}` in an agent file; undefined where unset, and for Holdpoint's own
   * settings.
   */
  readonly secret: (name: string) => string | undefined;
}
export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

export function readConfig(env: Environment, role: Role): ConfigResult {
  const settings = createSettingsReader(env);
  const { read, problems } = settings;
  const production = read('NODE_ENV') === 'production';
  const serves = role === 'start' || role === 'api';
  const asksModels = role === 'start' || role === 'worker';
  const uiUrl = read('TEMPORAL_UI_URL');
  const anchorFile = read('AUDIT_ANCHOR_FILE');
  const config: Config = {
    role,
    production,
    host: read('HOST'),
    port: read('PORT'),
    dataDir: resolve(read('DATA_DIR')),
    agentsDir: resolve(read('AGENTS_DIR')),
    admin: { url: read('HOLDPOINT_URL'), token: read('HOLDPOINT_TOKEN') },
    metrics: readMetrics(settings),
    traces: read('OTEL_EXPORTER_OTLP_ENDPOINT'),
    model: readModel(settings, production && asksModels),
    temporal: readTemporal(settings),
    temporalCli: read('TEMPORAL_CLI'),
    temporalUiUrl: uiUrl === null ? null : withoutPassword(uiUrl).replace(/\/+$/, ''),
    databaseUrl: databaseAddress(settings, 'DATABASE_URL'),
    migrationDatabaseUrl: databaseAddress(settings, 'MIGRATION_DATABASE_URL'),
    migrateAtStart: read('MIGRATE_AT_START') ?? !settings.isSet('MIGRATION_DATABASE_URL'),
    auditKey: secretOf(settings, 'AUDIT_KEY', key),
    auditAnchorFile: anchorFile === null ? null : resolve(anchorFile),
    auth: readAuth(settings, production && serves),
    oidc: readOidc(settings),
    orgClaim: read('JWT_ORG_CLAIM'),
    rolesClaim: read('JWT_ROLES_CLAIM'),
    serviceClaim: read('JWT_SERVICE_CLAIM'),
    maxTokenAgeS: read('JWT_MAX_AGE_S'),
    operatorDecisions: read('OPERATOR_DECISIONS', production ? 'reject-only' : undefined),
    syncWaitMaxS: read('SYNC_WAIT_MAX_S'),
    keepAliveS: read('KEEP_ALIVE_S'),
    maxConnections: read('MAX_CONNECTIONS'),
    limits: readLimits(settings),
    modelPatienceS: read('MODEL_PATIENCE_S'),
    egressAllow: read('EGRESS_ALLOW') ?? [],
    corsOrigins: read('CORS_ORIGINS') ?? [],
    publicUrl: read('PUBLIC_URL'),
    retentionDays: read('RETENTION_DAYS'),
    // `npm start` greets its user on the same screen.
    logLevel: read('LOG_LEVEL', role === 'start' ? 'warn' : undefined),
    secret: (name) => (isOwnSetting(name) ? undefined : env[name]),
  };
  demandServers(settings, role);
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

function readMetrics({ read }: SettingsReader): Config['metrics'] {
  const port = read('METRICS_PORT');
  if (port === 0) return null;
  return {
    host: read('METRICS_HOST'),
    port,
    mayMove: port === Number(SETTINGS.METRICS_PORT.byDefault),
  };
}

/** Only `npm start` brings its own database and Temporal. */
function demandServers({ isSet, problem }: SettingsReader, role: Role): void {
  if (role === 'api' || role === 'worker') {
    if (!isSet('DATABASE_URL'))
      problem(`DATABASE_URL must be set: npm run ${role} needs a PostgreSQL database.`);
    if (!isSet('TEMPORAL_ADDRESS'))
      problem(`TEMPORAL_ADDRESS must be set: npm run ${role} needs a Temporal server.`);
  }
  if (role === 'migrate' && !isSet('DATABASE_URL') && !isSet('MIGRATION_DATABASE_URL'))
    problem(
      'DATABASE_URL or MIGRATION_DATABASE_URL must be set: npm run migrate needs a PostgreSQL database.',
    );
}

export const configFromEnvironment = (role: Role): ConfigResult => readConfig(process.env, role);
