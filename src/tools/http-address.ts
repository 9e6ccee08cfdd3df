// The address of one call of an HTTP tool: places filled, arguments percent-encoded, the rest of
// them in the query where that is their place. Nothing that an argument says may lead to another
// path segment, host or protocol.

import type { HttpCall } from '../contract/agent.ts';
import { storable } from '../json/storable.ts';
import { argumentNames, fillPlaces, splitUrl } from './places.ts';
import { ToolError } from './define-tool.ts';

type Arguments = Readonly<Record<string, unknown>>;

/** Throws ToolError for an argument that cannot be put where it should. */
export function httpAddress(
  http: HttpCall,
  args: Arguments,
  secret: (name: string) => string,
): string {
  const { origin, path, query } = splitUrl(http.url);
  const fill = (text: string): string =>
    fillPlaces(text, secret, (name) => encoded(name, own(args, name)));
  const segments = path.split('/').map((segment) => {
    const filled = fill(segment);
    // `.` and `..` are steps to another address, an empty last segment is the whole collection.
    if (argumentNames(segment).length > 0 && /^(\.|%2e){0,2}$/i.test(filled))
      throw new ToolError(`Nothing was sent: "${filled}" cannot stand in the address.`);
    return filled;
  });
  const inUrl = new Set([...argumentNames(path), ...argumentNames(query), ...namesIn(args, query)]);
  const rest = http.method === 'GET' || http.method === 'DELETE' ? queryOf(args, inUrl) : '';
  const asked = query
    .slice(1)
    .split('&')
    .filter((part) => !isNull(part, args))
    .map(fill);
  const search = [...asked, rest].filter((part) => part !== '').join('&');
  return `${fill(origin)}${segments.join('/')}${search === '' ? '' : `?${search}`}`;
}

/**
 * Arguments that the address names in its own query: it has set what they are. Receivers read
 * `customer`, `Customer` and `customer[]` as one.
 */
export function namesIn(args: Arguments, url: string): readonly string[] {
  const fixed = new URLSearchParams(url.replace(/^[^?]*\?/, '').replace(/\$?\{[^{}]*\}/g, ''));
  const known = new Set([...fixed.keys()].map(bare));
  return Object.keys(args).filter((name) => known.has(bare(name)));
}

const bare = (name: string): string => name.replace(/\[.*$/s, '').trim().toLowerCase();

const own = (args: Arguments, name: string): unknown =>
  Object.hasOwn(args, name) ? args[name] : undefined;

/** A part of the query whose place is null is left out with its name. */
const isNull = (part: string, args: Arguments): boolean =>
  argumentNames(part).some((name) => own(args, name) === null);

function queryOf(args: Arguments, leaveOut: ReadonlySet<string>): string {
  return Object.entries(args)
    .filter(([name]) => !leaveOut.has(name))
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? (value as readonly unknown[]) : [value])
        // Models fill in null where they mean nothing.
        .filter((item) => item !== undefined && item !== null)
        .map((item) => `${encode(name)}=${encoded(name, item)}`),
    )
    .join('&');
}

const encode = (text: string): string => encodeURIComponent(storable(text).text);

function encoded(name: string, value: unknown): string {
  if (value === undefined)
    throw new ToolError(
      `Nothing was sent: the argument "${name}" is missing, and the address needs it.`,
    );
  if (typeof value === 'object')
    throw new ToolError(
      `Nothing was sent: the argument "${name}" must be a text, a number or a boolean to stand in the address.`,
    );
  return encode(String(value));
}
