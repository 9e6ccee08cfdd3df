// Tries one server against every rule of the port, in order, through a recorder.

import { ModelError } from '../../src/models/model.ts';
import { ask, type Tried } from './asking.ts';
import { CASES, type Case } from './cases.ts';
import { startRecorder, type Exchange } from './recorder.ts';
import { RULES, UNASKED } from './rules.ts';
import { NotTried, tryRule, type Row } from './verdicts.ts';

export interface TryOptions {
  readonly url: string;
  readonly model: string;
  readonly apiKey: string;
  /** Whether it has the small model, which takes cues. */
  readonly tiny?: boolean;
  readonly onTried?: (tried: Case, exchange: Exchange | undefined, row: Row) => void;
}

export async function tryServer(options: TryOptions): Promise<readonly Row[]> {
  const { url, model, apiKey, tiny = false, onTried } = options;
  const recorder = await startRecorder(url);
  const tried: Tried = {
    ...{ url: recorder.url, model, apiKey, last: recorder.last },
    busy: () => isBusy(url),
  };
  const away = await silent(tried);
  const rows: Row[] = [];
  for (const each of [...CASES, ...RULES]) {
    const row = await tryRule(each.name, () => {
      if (away !== undefined) throw new NotTried(away);
      if (each.tinyOnly === true && !tiny) throw new NotTried("needs this program's own model");
      return each.run(tried);
    });
    rows.push(row);
    onTried?.(each, recorder.last(), row);
  }
  await recorder.close();
  const answers: Row = {
    rule: 'the server answers',
    ...(away === undefined
      ? { verdict: 'holds', seen: url.replace(/[?#].*$/s, '') }
      : { verdict: 'does not', seen: away }),
  };
  const unasked = UNASKED.map((rule): Row => ({
    rule,
    verdict: 'not tried',
    seen: 'no request brings it about',
  }));
  return [answers, ...rows, ...unasked];
}

/** Why nothing more need be asked: without it, every rule would wait for the clocks of a call. */
async function silent(tried: Tried): Promise<string | undefined> {
  try {
    await ask(tried, { maxTokens: 64 });
    return undefined;
  } catch (error) {
    const nothing =
      error instanceof ModelError && error.fault === 'UNAVAILABLE' && tried.last() === undefined;
    return nothing ? error.message : undefined;
  }
}

/** Whether the server is at work, where it says so. */
async function isBusy(url: string): Promise<boolean | undefined> {
  const response = await fetch(`${new URL(url).origin}/slots`).catch(() => undefined);
  if (response?.ok !== true) return undefined;
  return ((await response.json()) as { readonly is_processing: boolean }[]).some(
    (slot) => slot.is_processing,
  );
}
