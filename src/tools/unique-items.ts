// `uniqueItems` in time that grows with the list: ajv compares every pair of items that are not all
// of one simple type, and 30,000 strings of a model take seconds. Equal items have equal canonical
// text.

import type { Ajv } from 'ajv';
import { canonicalJson } from '../json/canonical.ts';

export function linearUniqueItems(ajv: Ajv): void {
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not hold the same item twice' },
    validate: (unique: boolean, items: readonly unknown[]) =>
      !unique || new Set(items.map((item) => canonicalJson(item))).size === items.length,
  });
}
