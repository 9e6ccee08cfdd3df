// What a setting is: its type, its default and the sentence on what it is for. Everything
// else (the settings that are read, .env.example, the table in docs/settings.md) is made of these.

import { z } from 'zod';
import type { Parsed } from './values.ts';

export interface Setting<T, Default extends string | undefined = string | undefined> {
  /** From the variable's text; a problem is a sentence that follows the variable's name. */
  readonly schema: z.ZodType<T, string>;
  /** As it would be written in the environment; undefined: none. */
  readonly byDefault: Default;
  /** What it is for, and what holds where it is not set. */
  readonly about: string;
}

type Parse<T> = (text: string) => Parsed<T>;

export function setting<T>(parse: Parse<T>, about: string): Setting<T, undefined>;
export function setting<T>(parse: Parse<T>, about: string, byDefault: string): Setting<T, string>;
export function setting<T>(parse: Parse<T>, about: string, byDefault?: string): Setting<T> {
  const schema = z.string().transform((text, ctx): T => {
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    ctx.addIssue({ code: 'custom', message: parsed.problem });
    return z.NEVER;
  });
  return { schema, byDefault, about };
}
