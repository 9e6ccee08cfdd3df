// Which model server answers: one by its address or key, else the built-in demonstration, which
// production refuses.

import type { SettingsReader } from './read.ts';
import { secretOf } from './secret-files.ts';
import { word } from './values.ts';

export type ModelSettings =
  | { readonly kind: 'demo' }
  | {
      readonly kind: 'openai';
      readonly baseUrl: string | null;
      readonly apiKey: string | null;
      /** For a model's server behind https; null: reached directly. */
      readonly httpsProxy: string | null;
      readonly noProxy: string | null;
      /** null: no vectors. */
      readonly embeddingModel: string | null;
    };

/** `demoRefused`: this process asks models, in production. */
export function readModel(settings: SettingsReader, demoRefused: boolean): ModelSettings {
  const { read, isSet, problem } = settings;
  const baseUrl = read('OPENAI_BASE_URL');
  const apiKey = secretOf(settings, 'OPENAI_API_KEY', word);
  const httpsProxy = read('HTTPS_PROXY');
  const noProxy = read('NO_PROXY');
  const embeddingModel = read('EMBEDDING_MODEL');
  if (isSet('OPENAI_BASE_URL') || apiKey !== null)
    return { kind: 'openai', baseUrl, apiKey, httpsProxy, noProxy, embeddingModel };
  if (embeddingModel !== null)
    problem(
      'EMBEDDING_MODEL needs OPENAI_BASE_URL or OPENAI_API_KEY: the demonstration model makes no vectors.',
    );
  if (demoRefused)
    problem(
      'OPENAI_API_KEY or OPENAI_BASE_URL must be set: the demonstration model is refused when NODE_ENV is production.',
    );
  return { kind: 'demo' };
}
