// Media at the door: what can be refused before the run is made. Addresses are fetched later, by
// the activity before the first model call.

import type { AgentSnapshot } from '../../contract/agent.ts';
import { AppError, type FieldProblem } from '../../contract/errors.ts';
import {
  MEDIA_MAX_COUNT,
  MEDIA_TOTAL_MAX_BYTES,
  MEDIA_TYPES,
  mediaProblem,
  mediaType,
} from '../../contract/media.ts';
import type { StartBody } from '../../contract/start.ts';
import type { PublicAddresses } from '../../egress/public-address.ts';
import type { JsonPath } from '../../json/strict.ts';
import { contentHash, type NewMedia } from '../../store/runs/media.ts';

type Given = NonNullable<StartBody['media']>;

/** AppError INVALID_REQUEST that names each of them that cannot be taken, and why. */
export function readMedia(
  given: Given,
  agent: AgentSnapshot,
  addresses: PublicAddresses,
): readonly NewMedia[] {
  const errors: FieldProblem[] = [];
  let total = 0;
  const taken = given.flatMap((item, index): NewMedia[] => {
    const no = (field: 'type' | 'data', message: string): NewMedia[] => {
      errors.push({ path: `media.${index}.${field}`, message });
      return [];
    };
    const type = mediaType(item.type);
    if (type === undefined) return no('type', `must be one of ${MEDIA_TYPES.join(', ')}`);
    if (!agent[type.kind])
      return no('type', `needs an agent with ${type.kind}, which "${agent.id}" does not have`);
    if (isAddress(item.data)) {
      const problem = addresses.problem(item.data);
      return problem === undefined ? [{ type: item.type, url: item.data }] : no('data', problem);
    }
    const bytes = Buffer.from(item.data, 'base64');
    // The decoder skips what it does not know; only what it would write itself is base64.
    if (bytes.toString('base64') !== item.data)
      return no('data', 'must be base64 with padding and nothing else, or an http(s) address');
    const problem = mediaProblem(item.type, bytes);
    if (problem !== undefined) return no('data', problem);
    total += bytes.length;
    return [{ type: item.type, bytes, sha256: contentHash(bytes) }];
  });
  if (total > MEDIA_TOTAL_MAX_BYTES)
    errors.push({
      path: 'media',
      message: `are larger than ${MEDIA_TOTAL_MAX_BYTES} bytes together`,
    });
  if (errors.length === 0) return taken;
  const problems = errors.slice(0, 5).map(({ path, message }) => `${path} ${message}`);
  throw new AppError('INVALID_REQUEST', `The media cannot be taken: ${problems.join('; ')}.`, {
    errors,
  });
}

/** No base64 has a colon. (It may begin with two slashes: MP3 does.) */
const isAddress = (data: string): boolean => data.slice(0, 100).includes(':');

/** For the body's limit: the text of media does not count, everything else does. */
export const isMediaText = ([media, index, data, ...deeper]: JsonPath): boolean =>
  media === 'media' &&
  typeof index === 'number' &&
  index < MEDIA_MAX_COUNT &&
  data === 'data' &&
  deeper.length === 0;
