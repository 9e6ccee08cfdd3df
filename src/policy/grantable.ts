// Why there can be no grant over a tool's calls under a condition; whether it counts for a call is
// covers.ts's.

import type { ToolSnapshot } from '../contract/agent.ts';
import { fieldRefused, type AppError } from '../contract/errors.ts';
import { compileCondition } from './expression.ts';

/** A refusal that names the field, or undefined. `at`: where the bounds are in the body. */
export function grantProblem(
  tool: ToolSnapshot,
  when: string,
  at: { readonly tool: string; readonly when: string },
): AppError | undefined {
  if (tool.approval === 'never') return fieldRefused(at.tool, 'needs no approval');
  if (tool.risk === 'high')
    return fieldRefused(at.tool, 'is of high risk: people look at each of its calls');
  const compiled = compileCondition(when, tool.input);
  if (!compiled.ok) return fieldRefused(at.when, compiled.problem);
  if (!compiled.condition.argumentsAlone) return fieldRefused(at.when, 'speaks of more than args');
  return undefined;
}

export const wrongExpiry = (path: string): AppError =>
  fieldRefused(path, 'must be in the future, and at most seven days from now');
export const noSuchTool = (path: string, agentId: string): AppError =>
  fieldRefused(path, `is none of the agent "${agentId}"`);
