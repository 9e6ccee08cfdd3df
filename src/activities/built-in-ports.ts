// What built-in tools reach in one call: bases of the run's org that its agent names, and memories
// of the run's user. Everything goes through the org's own view of the store.

import type { Citation } from '../contract/citation.ts';
import { sha256Hex } from '../json/canonical.ts';
import { storable } from '../json/storable.ts';
import { findPassages } from '../knowledge/find-passages.ts';
import { visibleText } from '../knowledge/visible-text.ts';
import type { Embedder } from '../models/embedder.ts';
import type { ClaimedCall } from '../store/calls/calls.ts';
import type { Store } from '../store/database/access.ts';
import { findBases } from '../store/knowledge/bases.ts';
import { deleteMemory, findMemories, keepMemory } from '../store/memories/memories.ts';
import type { ToolContext } from '../tools/define-tool.ts';
import type { KnowledgePort, MemoryPort } from '../tools/built-in/ports.ts';

interface Deps {
  readonly store: Store;
  readonly embedder: Embedder | undefined;
}
interface OfCall {
  readonly runId: string;
  readonly callId: string;
  readonly call: Pick<ClaimedCall, 'orgId' | 'userId' | 'reach'>;
  readonly cite: (found: readonly Citation[]) => void;
}

/** Passages of a search: some 2,500 tokens. */
const PASSAGES = 8;
const MEMORIES = 10;

export function builtInPorts(deps: Deps, of: OfCall): Pick<ToolContext, 'knowledge' | 'memory'> {
  const { knowledge, memory } = of.call.reach;
  return {
    ...(knowledge === undefined ? {} : { knowledge: knowledgePort(deps, of, knowledge) }),
    ...(memory === undefined ? {} : { memory: memoryPort(deps, of) }),
  };
}

function knowledgePort(
  { store, embedder }: Deps,
  { call: { orgId }, cite }: OfCall,
  allowed: readonly string[],
): KnowledgePort {
  return {
    search: async (query, base) => {
      if (base !== undefined && !allowed.includes(base))
        return {
          passages: [],
          notes: [
            `There is no base "${base}" to search here; the bases are: ${allowed.join(', ')}.`,
          ],
        };
      const wanted = base === undefined ? allowed : [base];
      const bases = await store.asOrg(orgId, (tx) => findBases(tx, orgId, wanted));
      const missing = wanted.filter((id) => !bases.some((one) => one.baseId === id));
      const question = storable(query).text;
      const { passages } = await findPassages(
        { embedder, inStore: (work) => store.asOrg(orgId, work) },
        { orgId, bases, question, limit: PASSAGES },
        // The tool's own deadline stops it.
        new AbortController().signal,
      );
      cite(
        passages.map(({ baseId, documentId, title, passageId }) => ({
          ...{ baseId, documentId, title, passageId },
        })),
      );
      return {
        passages: passages.map(({ baseId, documentId, title, passageId, headings, text }) => ({
          ...{ passageId, documentId, base: baseId, title, text },
          headings: headings === '' ? [] : headings.split('\n'),
        })),
        notes: missing.map((id) => `There is no base "${id}" in this organisation.`),
      };
    },
  };
}

function memoryPort(
  { store }: Deps,
  { runId, callId, call: { orgId, userId } }: OfCall,
): MemoryPort {
  return {
    recall: async (query) => {
      const found = await store.asOrg(orgId, (tx) =>
        findMemories(tx, orgId, userId, storable(query).text, MEMORIES),
      );
      return found.map(({ memoryId, content }) => ({ memoryId, content }));
    },
    remember: async (content) => {
      // The same on every attempt at this call.
      const memoryId = `mem_${sha256Hex(`${runId}:${callId}`).slice(0, 32)}`;
      const kept = await store.asOrg(orgId, (tx) =>
        keepMemory(tx, {
          ...{ memoryId, orgId, userId, runId, createdBy: 'holdpoint' },
          content: visibleText(storable(content).text).trim(),
        }),
      );
      switch (kept.kind) {
        case 'KEPT':
        case 'GONE':
          return { kind: 'KEPT', memoryId };
        case 'KNOWN':
          return { kind: 'ALREADY', memoryId: kept.memory.memoryId };
        case 'FULL':
          return { kind: 'FULL' };
      }
    },
    forget: (memoryId) =>
      store.asOrg(orgId, (tx) =>
        deleteMemory(tx, { orgId, actor: 'holdpoint', runId }, userId, memoryId),
      ),
  };
}
