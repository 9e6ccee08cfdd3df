// The list of the tools in code. A new one: a file, and a line here.

import { countRows, dropTable, listTables } from './database-tools.ts';
import type { CodeTool } from './define-tool.ts';
import { getStockPrice } from './get-stock-price.ts';
import { readPage } from './read-page.ts';
import { sendEmail } from './send-email.ts';

const ALL: readonly CodeTool[] = [getStockPrice, sendEmail, listTables, countRows, dropTable, readPage];

export const codeTools: ReadonlyMap<string, CodeTool> = new Map(ALL.map((tool) => [tool.name, tool]));
