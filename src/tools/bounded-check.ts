// A schema applied to what a model wrote, within a time: a pattern that backtracks, or alternatives
// that refer to themselves, may take longer for thirty characters than a caller waits. The engine
// stops it from outside, in a regular expression too.

import { createContext, Script, type Context } from 'node:vm';
import type { ValidateFunction } from 'ajv';

/** A hundred times what the largest arguments of a usual schema take. */
const MOST_MS = 250;

/** What may take more than its value is long. */
const COSTLY =
  /"(?:pattern|patternProperties|format|\$ref|\$dynamicRef|\$recursiveRef|anyOf|oneOf|not|if|contains)":/;
export const mayBeCostly = (schema: unknown): boolean => COSTLY.test(JSON.stringify(schema));

let sandbox: Context | undefined;
const call = new Script('check()');

/** undefined: it was given up. */
export function checkedInTime(validate: ValidateFunction, value: unknown): boolean | undefined {
  sandbox ??= createContext(Object.create(null) as object);
  let fits = false;
  sandbox['check'] = () => {
    fits = validate(value) === true;
  };
  try {
    call.runInContext(sandbox, { timeout: MOST_MS });
    return fits;
  } catch (error) {
    if ((error as { code?: unknown } | null)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    return undefined;
  } finally {
    sandbox['check'] = undefined;
  }
}
