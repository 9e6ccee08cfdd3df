// The lines of a text/event-stream as events, in browsers and Node alike.

import { createParser } from 'eventsource-parser';

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
  let events: ServerSentEvent[] = [];
  const parser = createParser({
    onEvent: ({ id = '', event = '', data }) => void events.push({ id, event, data }),
  });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      parser.feed(decoder.decode(value, { stream: true }));
      const whole = events;
      events = [];
      yield* whole;
    }
  } finally {
    // Left early: the connection is let go of.
    await reader.cancel().catch(() => undefined);
  }
}
