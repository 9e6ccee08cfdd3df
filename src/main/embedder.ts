// Where vectors come from, by the settings.

import type { Config } from '../config.ts';
import type { Embedder } from '../models/embedder.ts';
import { createOpenAiEmbedder } from '../models/openai/embeddings.ts';

export const OPENAI = 'https://api.openai.com/v1';

/** undefined: no EMBEDDING_MODEL. */
export const embedderOf = ({ model }: Pick<Config, 'model'>): Embedder | undefined =>
  model.kind === 'demo' || model.embeddingModel === null
    ? undefined
    : createOpenAiEmbedder({
        baseUrl: model.baseUrl ?? OPENAI,
        apiKey: model.apiKey ?? '',
        model: model.embeddingModel,
        proxy: { https: model.httpsProxy ?? '', none: model.noProxy ?? '' },
      });
