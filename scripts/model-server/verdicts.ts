// What came of trying a server: one row a rule, and the table of them.

import { ModelError } from '../../src/models/model.ts';

export interface Row {
  readonly rule: string;
  readonly verdict: 'holds' | 'does not' | 'not tried';
  /** What the server did, or why it was not asked. */
  readonly seen: string;
}

/** This server gives no occasion: it says nothing for or against it. */
export class NotTried extends Error {
  override readonly name = 'NotTried';
}

/** A line of a terminal; the rest of a long refusal says nothing new. */
const SEEN_MAX_CHARS = 160;

export async function tryRule(rule: string, run: () => Promise<string>): Promise<Row> {
  try {
    return { rule, verdict: 'holds', seen: oneLine(await run()) };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const fault = error instanceof ModelError ? `${error.fault}: ` : '';
    const verdict = error instanceof NotTried ? 'not tried' : 'does not';
    return { rule, verdict, seen: oneLine(`${fault}${said}`) };
  }
}

export function tableOf(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ rule }) => rule.length));
  return [{ rule: 'rule', verdict: 'verdict', seen: 'what was seen' }, ...rows]
    .map(({ rule, verdict, seen }) => `${rule.padEnd(width)}  ${verdict.padEnd(9)}  ${seen}`)
    .join('\n');
}

/** `11 hold, 1 does not, 3 were not tried`. */
export function summaryOf(rows: readonly Row[]): string {
  const of = (verdict: Row['verdict']): number =>
    rows.filter((row) => row.verdict === verdict).length;
  return `${of('holds')} hold, ${of('does not')} do not, ${of('not tried')} not tried`;
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, SEEN_MAX_CHARS);
