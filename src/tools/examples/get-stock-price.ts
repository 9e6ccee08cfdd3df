// Example tool, read-only and quick: looks a ticker up in a small sample on disk.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { defineTool, ToolError } from '../define-tool.ts';

const SampleSchema = z.record(
  z.string(),
  z.object({ name: z.string(), price: z.number(), currency: z.string(), asOf: z.string() }),
);

// Right from src/ and from lib/, where the compiler copies no data.
const SAMPLE = new URL('../../../src/tools/examples/data/stock-prices.json', import.meta.url);

export const getStockPrice = defineTool({
  name: 'get_stock_price',
  description:
    'Gives the latest price of a stock by its ticker symbol, for example AAPL. The prices are a fixed sample.',
  source: import.meta.url,
  input: z.object({
    ticker: z.string().min(1).max(20).describe('Ticker symbol, for example AAPL'),
  }),
  readOnly: true,
  quick: true,
  run: async ({ ticker }) => {
    const symbol = ticker.trim().toUpperCase();
    const sample = new Map(
      Object.entries(SampleSchema.parse(JSON.parse(await readFile(SAMPLE, 'utf8')))),
    );
    const stock = sample.get(symbol);
    if (stock === undefined)
      throw new ToolError(
        `There is no price for "${symbol}". Known are ${[...sample.keys()].slice(0, 8).join(', ')} and others.`,
      );
    return JSON.stringify({ ticker: symbol, ...stock });
  },
});
