// How much of the service one user, one agent and one org may take.

import type { SettingsReader } from './read.ts';

export interface LimitSettings {
  /** A minute. */
  readonly requestsPerUser: number;
  readonly requestsPerOrg: number;
  /** At once, at one process. */
  readonly openRequestsPerUser: number;
  /** Under way at once. */
  readonly runsPerOrg: number;
  readonly runsPerAgent: number;
  readonly pausedPerOrg: number;
}

export const readLimits = ({ read }: SettingsReader): LimitSettings => ({
  requestsPerUser: read('LIMIT_REQUESTS_PER_USER'),
  requestsPerOrg: read('LIMIT_REQUESTS_PER_ORG'),
  openRequestsPerUser: read('LIMIT_OPEN_REQUESTS_PER_USER'),
  runsPerOrg: read('LIMIT_RUNS_PER_ORG'),
  runsPerAgent: read('LIMIT_RUNS_PER_AGENT'),
  pausedPerOrg: read('LIMIT_PAUSED_PER_ORG'),
});
