// Tool calls put together from the fragments of a stream, in time that grows with their bytes
// alone. Servers number them from 0 or from 1, give all of them index 0, one id, no id, or another
// id with every fragment; some repeat the name on every fragment, some the whole call at the end.

import type { CallFields } from '../model.ts';
import { endOfObject } from './object-end.ts';
import { listOf, mergeInto, recordOf, textOf } from './values.ts';

export interface OpenCall extends CallFields {
  readonly id: string;
  readonly name: string;
  readonly argumentsText: string;
}

interface Building {
  id: string;
  name: string;
  pieces: string[];
  /** Whether the arguments so far are one whole object. */
  readonly object: ReturnType<typeof endOfObject>;
  readonly fields: Record<string, unknown>;
  readonly functionFields: Record<string, unknown>;
}

interface Taken {
  readonly call: Building;
  readonly added: string;
}

export interface CallCollector {
  /** A member of `tool_calls`, of a delta or of a message. Returns how much text it added. */
  take(fragment: unknown): string;
  /** The old `function_call`, of which there is one. */
  takeFunctionCall(value: unknown): string;
  count(): number;
  /** undefined: a fragment of arguments belongs to no call. */
  calls(): readonly OpenCall[] | undefined;
}

export function createCallCollector(): CallCollector {
  const all: Building[] = [];
  const byIndex = new Map<number | string, Building>();
  const byId = new Map<string, Building>();

  function open(index: number | string | undefined, id: string): Building {
    const call: Building = {
      id: '',
      name: '',
      pieces: [],
      object: endOfObject(),
      fields: {},
      functionFields: {},
    };
    all.push(call);
    if (index !== undefined) byIndex.set(index, call);
    if (id !== '') byId.set(id, call);
    return call;
  }

  function takeAt(index: number | string | undefined, id: string, of: unknown): Taken {
    const { name: named, arguments: given, ...functionFields } = recordOf(of);
    const name = textOf(named);
    const text = argumentsOf(given);
    let call = continued(index, id, name, {
      atIndex: index === undefined ? undefined : byIndex.get(index),
      ofId: id === '' ? undefined : byId.get(id),
      last: all.at(-1),
    });
    if (call !== undefined && repeats(call, id, name, text)) return { call, added: '' };
    const before = all.length;
    if (call === undefined || startsAnother(call, id, name, text)) call = open(index, id);
    const opened = all.length > before ? OPENED : '';
    call.id ||= id;
    call.name ||= name;
    if (id !== '' && !byId.has(id)) byId.set(id, call);
    if (text !== '') {
      call.pieces.push(text);
      call.object.take(text);
    }
    mergeInto(call.functionFields, functionFields);
    return { call, added: opened + name + text + weightOf(functionFields) };
  }

  return {
    take(fragment) {
      const { index, id, type: _, function: of, ...fields } = recordOf(fragment);
      const at = typeof index === 'number' ? index : undefined;
      const { call, added } = takeAt(at, textOf(id), of);
      mergeInto(call.fields, fields);
      return added + weightOf(fields);
    },
    takeFunctionCall: (value) =>
      Object.keys(recordOf(value)).length === 0 ? '' : takeAt('function_call', '', value).added,
    count: () => all.length,
    calls: () => openCalls(all),
  };
}

/** The call that a fragment continues; undefined: it begins one. */
function continued(
  index: number | string | undefined,
  id: string,
  name: string,
  known: Readonly<Record<'atIndex' | 'ofId' | 'last', Building | undefined>>,
): Building | undefined {
  const { atIndex, ofId, last } = known;
  // Several calls at one index: a known id selects one.
  if (atIndex !== undefined)
    return atIndex.id !== '' && atIndex.id !== id ? (ofId ?? atIndex) : atIndex;
  // A new index begins a call if a name comes with it.
  if (ofId !== undefined && (index === undefined || name === '')) return ofId;
  if (name !== '') return undefined;
  // Neither id nor name: the last call's, whatever its index. Without an index an unknown id is one
  // of those that change with every fragment.
  return id === '' || index === undefined ? last : undefined;
}

function openCalls(all: readonly Building[]): readonly OpenCall[] | undefined {
  const calls: OpenCall[] = [];
  for (const call of all) {
    const argumentsText = call.pieces.join('');
    // A fragment of nothing is no call; arguments without a name belong to an unknown call.
    if (call.name === '' && argumentsText.trim() === '') continue;
    if (call.name === '') return undefined;
    calls.push({
      id: call.id,
      name: call.name,
      argumentsText,
      ...(Object.keys(call.fields).length === 0 ? {} : { fields: call.fields }),
      ...(Object.keys(call.functionFields).length === 0
        ? {}
        : { functionFields: call.functionFields }),
    });
  }
  return calls;
}

/** An empty call is kept, too: it counts as what it takes at least. */
const OPENED = ' '.repeat(32);

/** Unknown fields that are kept, as they count towards the reply. */
const weightOf = (fields: Readonly<Record<string, unknown>>): string =>
  Object.keys(fields).length === 0 ? '' : JSON.stringify(fields);

/** Calls of a whole message: each member is one. */
export function wholeCalls(message: Readonly<Record<string, unknown>>): CallCollector {
  const collector = createCallCollector();
  for (const [at, member] of listOf(message['tool_calls']).entries())
    collector.take({ ...recordOf(member), index: at });
  if (collector.count() === 0) collector.takeFunctionCall(message['function_call']);
  return collector;
}

/** The same id with the same arguments at the same index: sent once more. */
function repeats(call: Building, id: string, name: string, text: string): boolean {
  if (id === '' || id !== call.id || text === '' || !call.object.whole()) return false;
  if (name !== '' && name !== call.name) return false;
  const sofar = call.pieces.length === 1 ? (call.pieces[0] ?? '') : joined(call);
  return sofar === text || sameJson(sofar, text);
}

/** Joined once, so that a server that repeats for ever costs what it sends. */
function joined(call: Building): string {
  const text = call.pieces.join('');
  call.pieces = [text];
  return text;
}

/**
 * Some servers give every parallel call index 0 or one id for all, each call whole in one chunk;
 * others repeat name and id on every fragment. A fragment with a name starts another call if its id
 * is another, or if the arguments so far are complete.
 */
function startsAnother(call: Building, id: string, name: string, text: string): boolean {
  if (name === '' || call.name === '') return false;
  if (id !== '' && call.id !== '' && id !== call.id) return true;
  return text.trim() !== '' && call.object.whole();
}

function sameJson(one: string, other: string): boolean {
  try {
    return JSON.stringify(JSON.parse(one)) === JSON.stringify(JSON.parse(other));
  } catch {
    return false;
  }
}

/** Ollama's older versions, and some gateways, send the arguments parsed. */
const argumentsOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : textOf(value);
