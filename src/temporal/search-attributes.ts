// Search attributes of a server that the product did not start: missing ones are registered at
// start, or the command that registers them is printed.

import { SEARCH_ATTRIBUTE } from '../contract/names.ts';
import { RPC_DEADLINE_MS, type Temporal } from './connect.ts';

// temporal.api.enums.v1.IndexedValueType
const KEYWORD = 2;
const DATETIME = 6;
const typeOf = (name: string): number =>
  name === SEARCH_ATTRIBUTE.waitingSince ? DATETIME : KEYWORD;

/**
 * The problem, with the command that mends it, where the attributes are missing and may not be
 * added from here.
 */
export async function searchAttributesProblem(temporal: Temporal): Promise<string | undefined> {
  const { connection, settings } = temporal;
  const { namespace } = settings;
  const list = () =>
    connection.withDeadline(Date.now() + RPC_DEADLINE_MS, () =>
      connection.operatorService.listSearchAttributes({ namespace }),
    );
  const missingOf = async (): Promise<readonly string[]> => {
    const known = (await list()).customAttributes ?? {};
    return Object.values(SEARCH_ATTRIBUTE).filter((name) => known[name] === undefined);
  };
  let missing: readonly string[] = [];
  try {
    missing = await missingOf();
    if (missing.length === 0) return undefined;
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, typeOf(name)]));
    await connection.withDeadline(Date.now() + RPC_DEADLINE_MS, () =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes }),
    );
    return undefined;
  } catch {
    // Several processes start at once: another may have added them in between.
    missing = await missingOf().catch(() => missing);
    if (missing.length === 0) return undefined;
    const flags = missing
      .map((name) => `--name ${name} --type ${typeOf(name) === DATETIME ? 'Datetime' : 'Keyword'}`)
      .join(' ');
    return `The Temporal namespace "${namespace}" lacks search attributes. Add them: temporal operator search-attribute create --namespace ${namespace} ${flags}`;
  }
}
