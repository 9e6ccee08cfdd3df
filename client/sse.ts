// The lines of a text/event-stream as events. Runs in browsers and Node alike: no imports.

export interface ServerSentEvent {
  /** "" where the event has none. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/**
 * Ends with the stream; an event that was cut off is not given. Comments are passed over, after
 * `onBytes` was told of them.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void = () => undefined,
): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let fields = { id: '', event: '', data: [] as string[] };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      rest += decoder.decode(value, { stream: true });
      // A CR at the end may be half of a line's end.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line !== '') {
          const [, name = '', text = ''] = /^([^:]*):? ?([^]*)$/.exec(line) ?? [];
          if (name === 'data') fields.data.push(text);
          else if (name === 'id' || name === 'event') fields = { ...fields, [name]: text };
          continue;
        }
        const { id, event, data } = fields;
        fields = { id: '', event: '', data: [] };
        if (data.length > 0) yield { id, event, data: data.join('\n') };
      }
    }
  } finally {
    // Left early: the connection is let go of.
    await reader.cancel().catch(() => undefined);
  }
}
