// What Temporal shows of a run's good end: its tokens and the beginning of its answer's first line.

import { sql } from 'kysely';
import type { EndShown } from '../../contract/turn.ts';
import { visible } from '../../json/visible.ts';
import type { StoreTransaction } from '../database/access.ts';

export interface EndShownRow {
  readonly tokens: number;
  readonly firstLine: string | null;
}

const ANSWER_SHOWN = 200;

/** Columns of a statement over the run `r`. What an agent with knowledge or memory says is not read. */
export const END_SHOWN = sql`r.prompt_tokens + r.completion_tokens as tokens,
  case when exists (select 1 from agent_snapshots s where s.revision = r.revision
      and (s.body ? 'knowledge' or s.body ? 'memory')) then null
    else left(split_part(ltrim(r.content, E' \\t\\r\\n'), E'\\n', 1), ${sql.lit(ANSWER_SHOWN + 1)}) end as "firstLine"`;

export const endShownOf = ({ tokens, firstLine }: EndShownRow): EndShown => ({
  tokens,
  ...(firstLine === null ? {} : { answer: beginningOf(visible(firstLine.trimEnd())) }),
});

/** Cut again: one hidden character may have become nine. */
function beginningOf(line: string): string {
  const characters = [...line];
  return characters.length > ANSWER_SHOWN ? `${characters.slice(0, ANSWER_SHOWN).join('')}…` : line;
}

export async function readEndShown(tx: StoreTransaction, runId: string): Promise<EndShown> {
  const { rows } = await sql<EndShownRow>`
    select ${END_SHOWN} from runs r where r.run_id = ${runId}`.execute(tx.db);
  return endShownOf(rows[0] ?? { tokens: 0, firstLine: null });
}
