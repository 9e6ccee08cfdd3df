// Who may decide, as an agent file names them: of a tool, and of a rule.

import { z } from 'zod';

export const Approvers = z
  .array(
    z
      .string()
      .regex(
        /^(user:[\x21-\x7e]{1,200}|role:[\x21-\x7e]{1,200}|operator)$/,
        'must be user:…, role:… or operator',
      ),
  )
  .min(
    1,
    'must not be empty: nobody could approve; left out, it means anyone of the org with the scope',
  );
