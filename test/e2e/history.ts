// A run's history as the Temporal CLI shows it, and the words in it that a person reads.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTemporalCli, type TemporalCli } from '../../src/dev/temporal-cli.ts';
import { temporalCliPath } from '../rig/temporal.ts';

export interface HistoryEvent {
  readonly eventType: string;
  readonly userMetadata?: { readonly summary?: Payload; readonly details?: Payload };
  readonly [attributes: string]: unknown;
}
interface Payload {
  readonly data?: string;
}

/** Of the development server that `npm start` keeps under `dataDir`. */
export async function cliOfChild(dataDir: string): Promise<TemporalCli> {
  const { port } = JSON.parse(readFileSync(join(dataDir, 'temporal', 'child.json'), 'utf8')) as {
    port: number;
  };
  return createTemporalCli(await temporalCliPath(), `127.0.0.1:${port}`);
}

/** As `temporal workflow show -o json` prints it. */
export const historyText = (cli: TemporalCli, runId: string): Promise<string> =>
  cli(['workflow', 'show', '--workflow-id', runId, '-o', 'json'], 60_000);

export async function historyOf(cli: TemporalCli, runId: string): Promise<readonly HistoryEvent[]> {
  return (JSON.parse(await historyText(cli, runId)) as { events: readonly HistoryEvent[] }).events;
}

export const typesOf = (events: readonly HistoryEvent[]): readonly string[] =>
  events.map((event) => event.eventType.replace('EVENT_TYPE_', ''));

/** The workflow's input, as it was started. */
export function inputOf(events: readonly HistoryEvent[]): string {
  const started = events[0]?.['workflowExecutionStartedEventAttributes'] as {
    readonly input: { readonly payloads: readonly [{ readonly data: string }] };
  };
  return Buffer.from(started.input.payloads[0].data, 'base64').toString();
}

/** The summaries, in order. */
export const summariesOf = (events: readonly HistoryEvent[]): readonly string[] =>
  events.flatMap((event) => {
    const data = event.userMetadata?.summary?.data;
    return data === undefined ? [] : [JSON.parse(Buffer.from(data, 'base64').toString()) as string];
  });

/**
 * Everything that is written in a history, payloads decoded: what a search for a text has to look
 * through.
 */
export function wordsOf(history: unknown): string {
  const words: string[] = [];
  const look = (value: unknown): void => {
    if (typeof value === 'string') words.push(value, Buffer.from(value, 'base64').toString('utf8'));
    else if (Array.isArray(value)) value.forEach(look);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(look);
  };
  look(history);
  return words.join('\n');
}
