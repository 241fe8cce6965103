import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

/** Limits on the number and rate of tasks. */
export const LIMITS: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_limit (
  name text PRIMARY KEY,
  concurrency integer,
  total integer,
  rate integer,
  rate_ms bigint,
  burst integer,
  updated_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now}
);

-- With half of each page free, a claim's update stays in its page and needs no index entry.
CREATE TABLE ${schema}.cloacina_limit_slot (
  limit_key text COLLATE "C" PRIMARY KEY,
  concurrency integer,
  rate integer,
  rate_ms bigint,
  burst integer,
  weight integer,
  next_token_at timestamptz,
  h_execution uuid[] NOT NULL DEFAULT '{}',
  h_task integer[] NOT NULL DEFAULT '{}',
  h_item integer[] NOT NULL DEFAULT '{}',
  h_token bigint[] NOT NULL DEFAULT '{}',
  h_at timestamptz[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
`,
  comments: [
    [
      'TABLE',
      'limit',
      'Numbers of limits that were set at run time; NULL leaves that of the code.',
    ],
    ['COLUMN', 'limit.concurrency', 'Number of tasks of each key that may run at a time.'],
    ['COLUMN', 'limit.total', 'Number of tasks of all keys that may run at a time.'],
    ['COLUMN', 'limit.rate', 'Number of tasks of each key that may begin in rate_ms milliseconds.'],
    [
      'TABLE',
      'limit_slot',
      'One row per key of a limit: its own numbers, and who holds its slots. For a limit with a total also one row whose key is only the name.',
    ],
    ['COLUMN', 'limit_slot.limit_key', 'The limit and the key, separated by U+001F.'],
    [
      'COLUMN',
      'limit_slot.concurrency',
      'Number of this key alone; NULL leaves that of the limit.',
    ],
    ['COLUMN', 'limit_slot.weight', 'Share of this key when keys take turns. NULL counts as 1.'],
    ['COLUMN', 'limit_slot.next_token_at', 'When the rate allows the next task to begin.'],
    [
      'COLUMN',
      'limit_slot.h_execution',
      'The holders, one in each place of the arrays h_*: a task and the token of its claim. A slot is free as soon as the row of the task has another token. Of an admission: an execution, -1, 0, and its generation.',
    ],
  ],
};
