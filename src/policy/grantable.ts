// Why there can be no grant over a tool's calls under a condition; whether it counts for a call is
// covers.ts's.

import type { ToolSnapshot } from '../contract/agent.ts';
import { AppError } from '../contract/errors.ts';
import { compileCondition } from './expression.ts';

const invalid = (path: string, message: string): AppError =>
  new AppError('INVALID_REQUEST', `The body has a problem: ${path} ${message}.`, {
    errors: [{ path, message }],
  });

/** A refusal that names the field, or undefined. `at`: where the bounds are in the body. */
export function grantProblem(
  tool: ToolSnapshot,
  when: string,
  at: { readonly tool: string; readonly when: string },
): AppError | undefined {
  if (tool.approval === 'never') return invalid(at.tool, 'needs no approval');
  if (tool.risk === 'high')
    return invalid(at.tool, 'is of high risk: people look at each of its calls');
  const compiled = compileCondition(when, tool.input);
  if (!compiled.ok) return invalid(at.when, compiled.problem);
  if (!compiled.condition.argumentsAlone) return invalid(at.when, 'speaks of more than args');
  return undefined;
}

export const wrongExpiry = (path: string): AppError =>
  invalid(path, 'must be in the future, and at most seven days from now');
export const noSuchTool = (path: string, agentId: string): AppError =>
  invalid(path, `is none of the agent "${agentId}"`);
