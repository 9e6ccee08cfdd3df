// A tool declared in an agent file: one HTTP request, filled in when the call is made. A status is
// a known outcome, but for those that answer-status.ts names. The only place where secrets of tools
// are read; none, and no address, ever leaves it in a result.

import type { HttpCall, ToolSnapshot } from '../contract/agent.ts';
import { HEADER } from '../contract/names.ts';
import { callDeclared, type DeclaredAnswer } from '../egress/fetch-declared.ts';
import { retryAfterMs } from '../egress/retry-after.ts';
import { canonicalJson } from '../json/canonical.ts';
import { storable } from '../json/storable.ts';
import { ToolError, type ToolContext } from './define-tool.ts';
import { noAnswerProblem } from './answer-status.ts';
import { httpAddress, namesIn } from './http-address.ts';
import { createMask, sentFromAddress, type Mask } from './mask.ts';
import { argumentNames, fillSecrets, secretNames, splitUrl } from './places.ts';
import { MAX_RESULT_BYTES, resultText } from './result-text.ts';
import type { ToolResult } from './tool-result.ts';

// More than is kept is read, so that a secret echoed at the cut is still seen whole.
const READ_BYTES = MAX_RESULT_BYTES + 16_384;

export async function callHttpTool(
  tool: ToolSnapshot,
  args: Readonly<Record<string, unknown>>,
  ctx: ToolContext,
  secret: (name: string) => string | undefined,
): Promise<ToolResult> {
  if (tool.http === undefined) throw new Error(`the snapshot of "${tool.name}" has no http part`);
  const used = new Set<string>();
  const reveal = (name: string): string => {
    const value = secret(name);
    if (value === undefined)
      throw new ToolError(`Nothing was sent: the secret ${name} is not set on this server.`);
    used.add(value);
    return value;
  };
  try {
    const hasBody = tool.http.method !== 'GET' && tool.http.method !== 'DELETE';
    const url = httpAddress(tool.http, args, reveal);
    const headers = headersOf(tool.http, ctx, hasBody, reveal);
    for (const sent of [...sentFromAddress(url), ...hostOf(tool.http, url)]) used.add(sent);
    const answer = await callDeclared({
      method: tool.http.method,
      url,
      headers,
      ...(hasBody ? { body: canonicalJson(bodyOf(args, tool.http)) } : {}),
      timeoutMs: tool.timeoutMs,
      signal: ctx.signal,
      maxBytes: READ_BYTES,
      beforeWrite: ctx.beforeWrite,
    });
    return resultOf(tool, answer, ctx, createMask(used));
  } catch (error) {
    if (error instanceof ToolError)
      return { kind: 'DONE', text: resultText(error.message), isError: true };
    throw error;
  }
}

/** What the address's own query has is not sent again, differently, in a body. */
function bodyOf(
  args: Readonly<Record<string, unknown>>,
  { url }: HttpCall,
): Readonly<Record<string, unknown>> {
  const { query } = splitUrl(url);
  const placed = argumentNames(query);
  const inQuery = new Set(namesIn(args, query).filter((name) => !placed.includes(name)));
  return Object.fromEntries(Object.entries(args).filter(([name]) => !inQuery.has(name)));
}

function headersOf(
  http: HttpCall,
  ctx: ToolContext,
  hasBody: boolean,
  reveal: (name: string) => string,
): Record<string, string> {
  const headers: Record<string, string> = hasBody ? { 'content-type': 'application/json' } : {};
  for (const [name, value] of Object.entries(http.headers))
    headers[name.toLowerCase()] = fillSecrets(value, reveal);
  return {
    ...headers,
    [HEADER.idempotencyKey.toLowerCase()]: legalValue(ctx.idempotencyKey),
    [HEADER.run.toLowerCase()]: legalValue(ctx.runId),
    [HEADER.org.toLowerCase()]: legalValue(ctx.orgId),
    [HEADER.user.toLowerCase()]: legalValue(ctx.userId),
    ...(ctx.traceparent === undefined ? {} : { traceparent: ctx.traceparent }),
  };
}

/** The Host header is made of a secret where the origin is. */
const hostOf = ({ url }: HttpCall, address: string): readonly string[] =>
  secretNames(splitUrl(url).origin).length > 0 && URL.canParse(address)
    ? [new URL(address).host]
    : [];

const legalValue = (text: string): string =>
  storable(text).text.replace(/[^\x20-\x7e]|^ +| +$/gu, encodeURIComponent);

function resultOf(
  tool: ToolSnapshot,
  answer: DeclaredAnswer,
  ctx: ToolContext,
  mask: Mask,
): ToolResult {
  switch (answer.kind) {
    case 'ANSWER': {
      const { status: httpStatus } = answer;
      const why = noAnswerProblem(tool, httpStatus);
      if (why !== undefined)
        return {
          kind: 'UNANSWERED',
          why,
          httpStatus,
          retryAfterMs: retryAfterMs(answer.retryAfter),
        };
      return {
        kind: 'DONE',
        text: resultText(mask(answer.text), answer.truncated),
        isError: httpStatus >= 400,
        httpStatus,
      };
    }
    case 'NOT_SENT':
      // Stopped by us, it may be made by another worker; else it is known that it did not happen.
      return ctx.signal.aborted
        ? answer
        : { kind: 'DONE', text: `Nothing was sent: ${answer.why}.`, isError: true };
    case 'UNANSWERED':
      return answer;
  }
}
