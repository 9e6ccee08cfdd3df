// A refusal of the API as an error: `code` is what a program looks at, `message` is what a person
// reads.

import type { components } from './schema.js';

export type Problem = components['schemas']['Problem'];

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: Problem['code'] | undefined;
  readonly problem: Problem | undefined;
  /** How long to leave the API alone, where it says so. */
  readonly retryAfterMs: number | undefined;
  constructor(response: Response, problem: Problem | undefined) {
    super(problem?.detail ?? `The API answered ${response.status}.`);
    this.name = 'ApiProblem';
    this.status = response.status;
    this.code = problem?.code;
    this.problem = problem;
    const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
    this.retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  }
}

/** May the same request succeed later? */
export const isTemporary = (error: unknown): boolean =>
  error instanceof ApiProblem
    ? error.status >= 500 || error.status === 429
    : !(error instanceof DOMException && error.name === 'AbortError');

export async function problemOf(response: Response): Promise<ApiProblem> {
  const body: unknown = await response.json().catch(() => undefined);
  const isOne = typeof body === 'object' && body !== null && 'code' in body && 'detail' in body;
  return new ApiProblem(response, isOne ? (body as Problem) : undefined);
}
