// What is printed when a process starts: the settings in force, without secrets.

import type { AuthSettings } from './auth.ts';
import type { Config } from '../config.ts';

export const withoutPassword = (address: string): string => {
  const url = new URL(address);
  if (url.password !== '') url.password = '***';
  for (const name of url.searchParams.keys())
    if (/pass|secret|key/i.test(name)) url.searchParams.set(name, '***');
  return url.href;
};

/** One setting a line. */
export function settingsInForce(config: Config): readonly string[] {
  const { databaseUrl, role, retentionDays } = config;
  const lines = [
    ['environment', config.production ? 'production' : 'development'],
    ...(role === 'worker' ? [] : [['API', `${config.host}:${config.port}`] as const]),
    ['metrics', metricsInForce(config)],
    ['data', config.dataDir],
    ['agents', config.agentsDir],
    ...modelInForce(config),
    ['Temporal', temporalInForce(config)],
    ...(config.temporalUiUrl === null ? [] : [['Temporal Web UI', config.temporalUiUrl] as const]),
    [
      'database',
      databaseUrl === null ? 'embedded, under the data directory' : withoutPassword(databaseUrl),
    ],
    ['operator decisions', config.operatorDecisions],
    ['longest wait', `${config.syncWaitMaxS} s`],
    ["model's absence", `${config.modelPatienceS} s`],
    ['egress exceptions', config.egressAllow.join(', ') || 'none'],
    ['retention', retentionDays === null ? 'kept' : `${retentionDays} days`],
    ['audit', auditInForce(config)],
    ['log level', config.logLevel],
    ...(role === 'worker' ? [] : callersInForce(config)),
  ] as const;
  return lines.map(([name, value]) => `${name.padEnd(20)} ${value}`);
}

const auditInForce = ({ auditKey, auditAnchorFile, production, role }: Config): string => {
  if (auditKey === null && (production || role !== 'start')) return 'not sealed';
  const key = auditKey === null ? 'with a key of its own' : 'with AUDIT_KEY';
  return `sealed ${key}${auditAnchorFile === null ? '' : `, heads in ${auditAnchorFile}`}`;
};

const metricsInForce = ({ metrics }: Config): string =>
  metrics === null
    ? 'none'
    : `${metrics.host}:${metrics.port}${metrics.mayMove ? ', or a free port' : ''}`;

type Line = readonly [name: string, value: string];

function modelInForce({ model }: Config): readonly Line[] {
  if (model.kind === 'demo') return [['model', 'the built-in demonstration']];
  const { baseUrl, httpsProxy, noProxy, embeddingModel } = model;
  const server: readonly Line[] = [
    ['model', baseUrl === null ? "OpenAI's" : withoutPassword(baseUrl)],
    ['embedding model', embeddingModel ?? 'none: documents are searched by their words'],
  ];
  if (httpsProxy === null) return server;
  const except = noProxy === null ? '' : `, not for ${noProxy}`;
  return [...server, ["model's proxy", `${withoutPassword(httpsProxy)}${except}`]];
}

function temporalInForce({ temporal }: Config): string {
  const { address, namespace, taskQueue, tls, apiKey } = temporal;
  return [
    address ?? 'development server of our own',
    `namespace ${namespace}`,
    `task queue ${taskQueue}`,
    ...(tls === null ? [] : ['TLS']),
    ...(apiKey === null ? [] : ['API key']),
  ].join(', ');
}

function callersInForce(config: Config): readonly Line[] {
  const { auth, corsOrigins, publicUrl, orgClaim, rolesClaim, maxTokenAgeS, limits } = config;
  const keys = {
    secret: `JWT_SECRET${demandedOf(auth)}`,
    jwks: auth.kind === 'jwks' ? auth.uri : '',
    development: 'a development secret of our own',
  };
  return [
    ['browser origins', corsOrigins.join(', ') || 'none'],
    ['page', publicUrl ?? 'where the API listens'],
    [
      'connections',
      `at most ${config.maxConnections}, kept ${config.keepAliveS} s without a request`,
    ],
    [
      'runs at once',
      `at most ${limits.runsPerOrg} an org and ${limits.runsPerAgent} an agent in it; ${limits.pausedPerOrg} paused`,
    ],
    [
      'requests a minute',
      `at most ${limits.requestsPerUser} a user and ${limits.requestsPerOrg} an org; ${limits.openRequestsPerUser} of a user open at once`,
    ],
    [
      'tokens',
      `${keys[auth.kind]}, claims ${orgClaim} and ${rolesClaim}, at most ${maxTokenAgeS} s`,
    ],
  ];
}

function demandedOf(auth: AuthSettings): string {
  if (auth.kind !== 'secret') return '';
  const missing = [auth.issuer ? [] : 'JWT_ISSUER', auth.audience ? [] : 'JWT_AUDIENCE'].flat();
  return missing.length === 0
    ? ', issuer and audience demanded'
    : `, WARNING: a token for another service is taken too: ${missing.join(' and ')} not set`;
}
