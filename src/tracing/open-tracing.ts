// Tracing where it is wanted. OpenTelemetry is loaded only then.

import type { OtelOptions } from './otel.ts';
import type { Tracing } from './tracing.ts';

/** undefined: nothing is traced. */
export async function openTracing({
  url,
  ...options
}: Omit<OtelOptions, 'url'> & { readonly url: string | null }): Promise<Tracing | undefined> {
  if (url === null) return undefined;
  const { createOtelTracing } = await import('./otel.ts');
  return createOtelTracing({ url, ...options });
}
