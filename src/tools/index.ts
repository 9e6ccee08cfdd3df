// The list of the tools in code. A new one: a file, and a line here.

import { builtInTools } from './built-in/index.ts';
import { countRows, dropTable, listTables } from './examples/database-tools.ts';
import type { CodeTool } from './define-tool.ts';
import { getStockPrice } from './examples/get-stock-price.ts';
import { readPage } from './examples/read-page.ts';
import { refundPayment } from './examples/refund-payment.ts';
import { sendEmail } from './examples/send-email.ts';

const ALL: readonly CodeTool[] = [
  getStockPrice,
  sendEmail,
  listTables,
  countRows,
  dropTable,
  readPage,
  refundPayment,
];

export const codeTools: ReadonlyMap<string, CodeTool> = new Map(
  [...ALL, ...builtInTools.values()].map((tool) => [tool.name, tool]),
);
