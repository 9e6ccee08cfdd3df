// A subject, org or user as we accept it anywhere.

import { z } from 'zod';

export const SubjectSchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable characters without spaces');
