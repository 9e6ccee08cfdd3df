// Tools that an agent has by `knowledge` and `memory` in its file, without listing them.

import type { CodeTool } from '../define-tool.ts';
import { forget, recall, remember } from './memory-tools.ts';
import { searchKnowledge } from './search-knowledge.ts';

export const BUILT_IN: Readonly<Record<'knowledge' | 'memory', readonly CodeTool[]>> = {
  knowledge: [searchKnowledge],
  memory: [recall, remember, forget],
};

export const builtInTools: ReadonlyMap<string, CodeTool> = new Map(
  Object.values(BUILT_IN)
    .flat()
    .map((tool) => [tool.name, tool]),
);
