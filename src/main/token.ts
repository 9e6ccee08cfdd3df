// `npm run token -- --user ada --org acme --roles finance-lead --scope "runs:write runs:read"`:
// prints a token, alone on stdout.

import { parseArgs } from 'node:util';
import { configFromEnvironment } from '../config.ts';
import { developmentSecret } from './development-secret.ts';
import { EVERYDAY_SCOPE, makeToken } from '../dev/make-token.ts';

const SCOPES = [...EVERYDAY_SCOPE.split(' '), 'admin'];
const USAGE = `usage: npm run token -- --user NAME --org ORG [--roles a,b] [--scope "${EVERYDAY_SCOPE}"] [--life SECONDS]`;

function fail(...lines: readonly string[]): never {
  for (const line of lines) console.error(line);
  process.exit(1);
}

function readFlags() {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      options: { user: text, org: text, roles: text, scope: text, life: text },
      strict: true,
    }).values;
  } catch (cause) {
    return fail(cause instanceof Error ? cause.message : String(cause), USAGE);
  }
}

const flags = readFlags();
const result = configFromEnvironment('token');
if (!result.ok) fail(...result.problems);
const { config } = result;
if (!flags.user || !flags.org) fail('--user and --org are needed.', USAGE);
const scope = flags.scope ?? EVERYDAY_SCOPE;
const unknown = scope.split(/\s+/).filter((one) => one !== '' && !SCOPES.includes(one));
if (unknown.length > 0) fail(`unknown scope ${unknown.join(' ')}; there are ${SCOPES.join(' ')}`);
const lifeS = flags.life === undefined ? config.maxTokenAgeS : Number(flags.life);
if (!(Number.isInteger(lifeS) && lifeS >= 1 && lifeS <= config.maxTokenAgeS))
  fail(`--life must be a whole number of seconds, at most ${config.maxTokenAgeS} (JWT_MAX_AGE_S).`);
if (config.auth.kind === 'jwks')
  fail('JWKS_URI is set: tokens come from your identity provider, no secret here can sign one.');
if (config.auth.kind === 'development' && config.production)
  fail('NODE_ENV is production: JWT_SECRET must be set.');

const secret =
  config.auth.kind === 'secret' ? config.auth.secret : developmentSecret(config.dataDir);
const roles = (flags.roles ?? '').split(',').flatMap((role) => role.trim() || []);
console.log(
  await makeToken({ secret, config, user: flags.user, org: flags.org, roles, scope, lifeS }),
);
