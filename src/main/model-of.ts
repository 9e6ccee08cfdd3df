// The model that the settings name, for the roles that ask it.

import type { Config } from '../config.ts';
import type { Model } from '../models/model.ts';
import { createOpenAiModel } from '../models/openai/adapter.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { OPENAI } from './embedder.ts';

/** `demo`: where the demonstration model is, where the settings ask for it. */
export const modelOf = (
  config: Config,
  tracing?: Tracing,
  demo: { readonly url: string; readonly apiKey: string } = { url: '', apiKey: '' },
): Model =>
  config.model.kind === 'demo'
    ? createOpenAiModel({
        ...{ baseUrl: demo.url, apiKey: demo.apiKey, reportedName: 'demo' },
        traceparent: tracing?.current,
      })
    : createOpenAiModel({
        baseUrl: config.model.baseUrl ?? OPENAI,
        apiKey: config.model.apiKey ?? '',
        traceparent: tracing?.current,
        proxy: { https: config.model.httpsProxy ?? '', none: config.model.noProxy ?? '' },
      });
