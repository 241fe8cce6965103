import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import { HIGH_CHURN, type TableGroup } from './table-group.js';

/** The progress of the deletion of ended executions, and the keys that outlive them. */
export const RETENTION: TableGroup = {
  create: (schema) => `
-- One row, from the first process with a retention on.
CREATE TABLE ${schema}.cloacina_retention (
  id integer PRIMARY KEY DEFAULT 1 CONSTRAINT cloacina_retention_id_check CHECK (id = 1),
  holder uuid,
  held_until timestamptz,
  rules jsonb NOT NULL DEFAULT '{}',
  lap_at timestamptz,
  deleted bigint NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  failure json,
  failed_at timestamptz
);

CREATE TABLE ${schema}.cloacina_kept_key (
  workflow text NOT NULL,
  idempotency_key text NOT NULL,
  execution_id uuid NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.transaction},
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (workflow, idempotency_key)
) WITH (${HIGH_CHURN});
CREATE INDEX cloacina_kept_key_expiry_idx ON ${schema}.cloacina_kept_key (expires_at);
`,
  comments: [
    [
      'TABLE',
      'retention',
      'The process that deletes ended executions by their retention, and how far it has come. One row, or none without retention.',
    ],
    [
      'COLUMN',
      'retention.holder',
      'The process whose turn it is, until held_until. Others leave the deletion to it.',
    ],
    [
      'COLUMN',
      'retention.rules',
      'The retention of workflows that their code gives, so that a process without this code knows it.',
    ],
    ['COLUMN', 'retention.lap_at', 'When ended executions were last looked through.'],
    ['COLUMN', 'retention.deleted', 'Number of executions at the top of deleted trees.'],
    [
      'COLUMN',
      'retention.failures',
      'Number of failures of the archive in a row. Executions that it has not taken are kept.',
    ],
    ['TABLE', 'kept_key', 'Idempotency keys of executions that were deleted, or will be soon.'],
    [
      'COLUMN',
      'kept_key.kept_at',
      'When the key was stored. Its execution is deleted a minute later, when all statements know the row.',
    ],
    ['COLUMN', 'kept_key.expires_at', 'When the key is free again.'],
  ],
};
