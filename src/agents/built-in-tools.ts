// The built-in tools of an agent file: those that `knowledge` and `memory` bring, unless the file
// lists them itself with a policy of its own.

import type { ToolSnapshot } from '../contract/agent.ts';
import { BUILT_IN } from '../tools/built-in/index.ts';
import type { AgentFile } from './agent-file.ts';
import type { FileProblem } from './file-problem.ts';

const hasOf = (file: AgentFile) => ({
  knowledge: file.knowledge !== undefined,
  memory: file.memory === 'user',
});
const FEATURES = ['knowledge', 'memory'] as const;
const WANTED = { knowledge: 'knowledge: [a base]', memory: 'memory: user' } as const;

/** One that is listed without what it works on could do nothing. */
export function builtInProblems(
  file: AgentFile,
  names: readonly (string | undefined)[],
): readonly FileProblem[] {
  const has = hasOf(file);
  return names.flatMap((name, i) => {
    const feature = FEATURES.find((one) => BUILT_IN[one].some((tool) => tool.name === name));
    return feature === undefined || has[feature]
      ? []
      : [{ path: ['tools', i], message: `the tool "${name}" needs ${WANTED[feature]}` }];
  });
}

export function withBuiltIns(
  file: AgentFile,
  tools: readonly ToolSnapshot[],
): readonly ToolSnapshot[] {
  const has = hasOf(file);
  const listed = new Set(tools.map((tool) => tool.name));
  const brought = FEATURES.filter((feature) => has[feature])
    .flatMap((feature) => BUILT_IN[feature])
    .filter((tool) => !listed.has(tool.name))
    .map(({ run, ...tool }): ToolSnapshot => {
      void run;
      return { ...tool, kind: 'code', approvers: null };
    });
  return [...brought, ...tools].map((tool) =>
    tool.name === 'search_knowledge' && file.knowledge !== undefined
      ? { ...tool, description: `${tool.description} The bases are: ${file.knowledge.join(', ')}.` }
      : tool,
  );
}
