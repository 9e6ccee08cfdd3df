// The name of an effect, made of a call's arguments: one of that name in the org, whichever run asks.
// Pure: the same arguments give the same name in every process.

import { storable } from '../json/storable.ts';

/** `{argument}`. */
const PLACE = /\{([^{}]*)\}/g;

export const placesOfKey = (template: string): readonly string[] =>
  [...template.matchAll(PLACE)].map(([, name = '']) => name.trim());

/** What stands in no place is the template's own text. A brace that is none is a problem. */
export const isKeyTemplate = (template: string): boolean =>
  placesOfKey(template).length > 0 && !/[{}]/.test(template.replace(PLACE, ''));

/**
 * Values stand percent-encoded, so no value can end one place and begin the next; text and number
 * of the same digits are one effect.
 */
export const effectKey = (template: string, args: Readonly<Record<string, unknown>>): string =>
  template.replace(PLACE, (_, name: string) => {
    const value = Object.hasOwn(args, name.trim()) ? args[name.trim()] : undefined;
    const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
    return encodeURIComponent(storable(text).text);
  });
