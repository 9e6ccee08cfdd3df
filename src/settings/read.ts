// Reads declared settings from an environment that it is handed, and collects every problem, so
// that all are reported at once. A setting that is empty counts as not set.

import { SETTINGS, type SettingName } from './settings.ts';
import type { Setting } from './declare.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type SettingValue<Name extends SettingName> =
  (typeof SETTINGS)[Name] extends Setting<infer T, infer Default>
    ? Default extends string
      ? T
      : T | null
    : never;

export interface SettingsReader {
  /**
   * The setting's value; its default where it is not set or no good, null where it has none.
   * `otherDefault`: in place of the declared one.
   */
  readonly read: <Name extends SettingName>(
    name: Name,
    otherDefault?: string,
  ) => SettingValue<Name>;
  readonly isSet: (name: SettingName) => boolean;
  readonly problem: (sentence: string) => void;
  readonly problems: readonly string[];
}

export function createSettingsReader(env: Environment): SettingsReader {
  const problems: string[] = [];
  const textOf = (name: SettingName): string | undefined => env[name]?.trim() || undefined;
  const read = (name: SettingName, otherDefault?: string): unknown => {
    const { schema, byDefault } = SETTINGS[name];
    const standard = otherDefault ?? byDefault;
    const text = textOf(name);
    if (text !== undefined) {
      const parsed = schema.safeParse(text);
      if (parsed.success) return parsed.data;
      problems.push(`${name} ${parsed.error.issues[0]?.message ?? 'is not valid'}.`);
    }
    return standard === undefined ? null : schema.parse(standard);
  };
  return {
    // The value's type is that of the declaration with this name.
    read: read as SettingsReader['read'],
    isSet: (name) => textOf(name) !== undefined,
    problem: (sentence) => void problems.push(sentence),
    problems,
  };
}
