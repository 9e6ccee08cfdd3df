// `= any(…)` with one parameter: a list of any length is one statement, which is prepared once.

import { sql, type RawBuilder } from 'kysely';

export const anyOf = <T>(values: readonly T[]): RawBuilder<T> => sql<T>`any(${values})`;
