// What a server says at its door, and how it goes: loading, a wrong key, ended in mid-stream.

import assert from 'node:assert/strict';
import { ModelError } from '../../src/models/model.ts';
import { createOpenAiModel } from '../../src/models/openai/adapter.ts';
import { faultOf, shownFault, user, type Tried } from './asking.ts';
import type { LlamaServer } from './llama-server.ts';

interface Door {
  readonly name: string;
  readonly record?: string;
  readonly run: (tried: Tried, server: LlamaServer) => Promise<string>;
}

export const STILL_LOADING = 'a server that still loads its model';

/**
 * In this order, against a server of ours that was started a moment ago and asks for the key
 * `sk-right`; the last one kills it.
 */
export const DOORS: readonly Door[] = [
  {
    name: STILL_LOADING,
    record: 'loading',
    async run(tried, server) {
      for (;;) {
        await server.listening();
        const error = await faultOf({ ...tried, apiKey: 'sk-right' }, {}).catch(
          (cause: unknown) => cause,
        );
        if (!(error instanceof ModelError)) return 'it was ready too soon to be seen loading';
        assert.deepEqual([error.fault, error.retryable], ['UNAVAILABLE', true], shownFault(error));
        if (error.message.includes('503')) return shownFault(error);
      }
    },
  },
  {
    name: 'a wrong key',
    record: 'wrong-key',
    async run(tried) {
      const error = await faultOf({ ...tried, apiKey: 'sk-wrong' }, {});
      assert.deepEqual([error.fault, error.retryable], ['REJECTED', false], shownFault(error));
      return shownFault(error);
    },
  },
  ...(['SIGTERM', 'SIGKILL'] as const).map((signal): Door => ({
    name: `a server that is ended by ${signal} in mid-stream`,
    async run(tried, server) {
      let ended: Promise<void> | undefined;
      const model = createOpenAiModel({ baseUrl: tried.url, apiKey: 'sk-right' });
      const request = { model: tried.model, messages: [user('Count: endless')], tools: [] };
      const onDelta = (): void => void (ended ??= server.kill(signal));
      const error: unknown = await model
        .stream(request, { signal: new AbortController().signal, onDelta })
        .catch((cause: unknown) => cause);
      await ended;
      await server.restart();
      assert.ok(error instanceof ModelError, `it answered: ${JSON.stringify(error)}`);
      assert.deepEqual([error.fault, error.retryable], ['UNAVAILABLE', true], shownFault(error));
      return shownFault(error);
    },
  })),
];
