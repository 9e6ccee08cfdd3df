// A model whose calls are spans, by OpenTelemetry's conventions for generative AI: names, counts and
// codes, no message.

import { ModelError, type Model } from '../models/model.ts';
import type { Tracing } from './tracing.ts';

export const tracedModel = (model: Model, tracing: Tracing): Model => ({
  stream: (request, on) =>
    tracing.inSpan(
      {
        name: `chat ${request.model}`,
        kind: 'client',
        attributes: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'openai',
          'gen_ai.request.model': request.model,
          'gen_ai.request.temperature': request.temperature,
          'gen_ai.request.max_tokens': request.maxTokens,
        },
      },
      async (span) => {
        try {
          const reply = await model.stream(request, on);
          span.set({
            'gen_ai.response.model': reply.model,
            'gen_ai.response.finish_reasons': reply.finishReason,
            'gen_ai.usage.input_tokens': reply.usage?.promptTokens,
            'gen_ai.usage.output_tokens': reply.usage?.completionTokens,
          });
          return reply;
        } catch (error) {
          if (error instanceof ModelError) span.failed(error.fault);
          throw error;
        }
      },
    ),
});
