// What came of a tool's call: a known outcome, nothing, or not known.

export type ToolResult =
  | {
      readonly kind: 'DONE';
      readonly text: string;
      readonly isError: boolean;
      /** Of an HTTP tool that was answered. */
      readonly httpStatus?: number;
      /** Pictures and sound, checked. */
      readonly media?: readonly { readonly type: string; readonly bytes: Buffer }[];
    }
  /**
   * Only where `ctx.signal` stopped it before it acted: it did not happen, and may be made by
   * somebody else.
   */
  | { readonly kind: 'NOT_SENT'; readonly why: string }
  /** It did not happen, and what would be called now is not what was looked at: from the start. */
  | { readonly kind: 'MOVED' }
  /** It may have happened. */
  | {
      readonly kind: 'UNANSWERED';
      readonly why: string;
      /** Of a go-between that answered in place of the receiver. */
      readonly httpStatus?: number;
      /** How long it asked to be left alone, where it did. */
      readonly retryAfterMs?: number | undefined;
    };
