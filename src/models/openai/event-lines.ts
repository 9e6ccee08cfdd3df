// The body of an answer as it comes: an event stream, or the one JSON value that some servers send
// in its place, with any content type. Looks at each character once, however the pieces are cut.
// Knows nothing of what an event means.

export interface BodyReader {
  /** @throws what `onData` throws */
  take(piece: string): void;
  /** What was not complete at the end of the stream. */
  end(): void;
  /** Characters of the line or the value that is not complete yet. */
  pending(): number;
}

export interface BodyEvents {
  /** One event's data. `last`: the stream ended in it, so it may be cut. */
  readonly onData: (data: string, last: boolean) => void;
  /** The one JSON value of a body that is no stream. */
  readonly onBody: (text: string) => void;
}

export function createBodyReader({ onData, onBody }: BodyEvents): BodyReader {
  let data: string[] = [];
  let dataLength = 0;
  let hasError = false;
  const add = (line: string): void => {
    data.push(line);
    dataLength += line.length;
  };
  let form: 'UNKNOWN' | 'STREAM' | 'JSON' = 'UNKNOWN';

  function dispatch(last: boolean): void {
    if (data.length === 0) return;
    const all = data;
    data = [];
    dataLength = 0;
    hasError = false;
    const whole = all.join('\n');
    // Some servers leave the empty line between events out: each line is one then.
    if (all.length > 1 && !isJson(whole)) for (const line of all) onData(line, last);
    else onData(whole, last);
  }

  function takeLine(line: string, last: boolean): void {
    if (line === '') return dispatch(last);
    if (line.startsWith(':')) return;
    // An error without a field's name in front, in the middle of a stream.
    if (line.startsWith('{')) return add(line);
    const at = line.indexOf(':');
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
    if (field === 'data') add(value);
    // llama.cpp's older servers name the field after what is in it.
    // One of an event is enough, and each costs a look whether it is JSON.
    else if (field === 'error' && !hasError) {
      hasError = true;
      add(`{"error":${isJson(value) ? value : JSON.stringify(value)}}`);
    }
  }

  const lines = createLineSplitter((line) => takeLine(line, false));
  return {
    take(piece) {
      if (form === 'UNKNOWN') {
        const first = /[^\s\ufeff]/.exec(piece)?.[0];
        if (first === undefined) return;
        form = first === '{' || first === '[' ? 'JSON' : 'STREAM';
      }
      if (form === 'JSON') lines.keep(piece);
      else lines.take(piece.replace(/^\ufeff/, ''));
    },
    end() {
      const rest = lines.rest();
      if (form === 'JSON') return onBody(rest);
      if (rest !== '') takeLine(rest, true);
      dispatch(true);
    },
    pending: () => lines.pending() + dataLength,
  };
}

const LF = 10;
const CR = 13;

/** Lines that end with LF, CR or CRLF, however the pieces are cut. */
function createLineSplitter(onLine: (line: string) => void) {
  const open: string[] = [];
  let openLength = 0;
  let afterReturn = false;

  function keep(text: string): void {
    if (text === '') return;
    open.push(text);
    openLength += text.length;
  }

  /** The text since the last line. */
  function rest(): string {
    const text = open.join('');
    open.length = 0;
    openLength = 0;
    return text;
  }

  function take(piece: string): void {
    let from = 0;
    for (let at = 0; at < piece.length; at++) {
      const character = piece.charCodeAt(at);
      const second = afterReturn && character === LF;
      afterReturn = character === CR;
      if (second) from = at + 1;
      else if (character === LF || character === CR) {
        keep(piece.slice(from, at));
        from = at + 1;
        onLine(rest());
      }
    }
    keep(piece.slice(from));
  }

  return { keep, take, rest, pending: () => openLength };
}

function isJson(text: string): boolean {
  // Most text that is no JSON is found without an exception, which costs a stack trace.
  if (!/^\s*[[{"\dtfn-]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
