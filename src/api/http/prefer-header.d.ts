declare module 'parse-prefer-header' {
  /** Preferences by camel-cased name; `true` where no value was given. */
  function parsePreferHeader(
    prefer: string | readonly string[] | undefined,
  ): Record<string, string | true | undefined>;
  export = parsePreferHeader;
}
