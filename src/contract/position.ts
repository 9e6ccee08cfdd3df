// How far a reader of a run's stream is: everything up to there was seen. As text it is the `id:`
// of a frame, `<seq>.<offset>`: of an event `<its seq>.0`, of a delta `<seq of its attempt>.<UTF-16
// code units that the attempt had sent with it>`. So ids sort, a position inside a stored chunk
// means the same as between two tokens, and a killed attempt's ids never come again. Imports
// nothing.

export interface Position {
  readonly seq: number;
  readonly offset: number;
}

/** Before the first frame. */
export const BEGINNING: Position = { seq: 0, offset: 0 };

// 15 digits are below 2^53, and more than any run counts to.
export const POSITION = /^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})$/;

export const writePosition = ({ seq, offset }: Position): string => `${seq}.${offset}`;

/** undefined for what no frame of any run is called. */
export function readPosition(text: string): Position | undefined {
  const [, seq, offset] = POSITION.exec(text) ?? [];
  return seq === undefined || offset === undefined
    ? undefined
    : { seq: Number(seq), offset: Number(offset) };
}

export const isAfter = (a: Position, b: Position): boolean =>
  a.seq > b.seq || (a.seq === b.seq && a.offset > b.offset);
