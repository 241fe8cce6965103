import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

export const LEASES: TableGroup = {
  create: (schema) => `
-- A few rows that are updated permanently. With half of each page free, a renewal stays in its page and needs no index entry.
CREATE TABLE ${schema}.cloacina_runner_lease (
  instance_id uuid PRIMARY KEY,
  process_id uuid NOT NULL,
  name text,
  lock_epoch text,
  lock_session text,
  login text NOT NULL DEFAULT session_user,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.transaction}
) WITH (fillfactor = 50);
`,
  comments: [
    [
      'TABLE',
      'runner_lease',
      'Processes with claims in this schema. A process without claims has no row.',
    ],
    [
      'COLUMN',
      'runner_lease.process_id',
      'The process, which has one control connection for all its tenants. Part of application_name.',
    ],
    ['COLUMN', 'runner_lease.name', 'Host and process id.'],
    [
      'COLUMN',
      'runner_lease.lock_epoch',
      'Life of the server in which the process took its advisory lock. Only within the same life a missing lock proves a death.',
    ],
    [
      'COLUMN',
      'runner_lease.lock_session',
      'The advisory lock that the process holds while it lives: its key, random for each session, and the backend.',
    ],
    [
      'COLUMN',
      'runner_lease.login',
      'The role of the process. Of the connections with its application_name, only those of this role belong to it.',
    ],
    [
      'COLUMN',
      'runner_lease.expires_at',
      'Renewed while the process lives. After this time other processes may take its claims.',
    ],
  ],
};
