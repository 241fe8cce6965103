import { SERVER_CLOCK } from '../../statements/sql-clock.js';
import type { TableGroup } from './table-group.js';

/**
 * Whether the tenant lives in this schema. A move to another server changes it, and nothing else does.
 *
 * The state is not read by the hot statements. While the schema must not be written, a trigger on each of its tables refuses
 * every write, so the fence costs nothing while the tenant lives here.
 */
export const TENANT: TableGroup = {
  create: (schema) => `
CREATE TABLE ${schema}.cloacina_tenant (
  id integer PRIMARY KEY DEFAULT 1 CONSTRAINT cloacina_tenant_id_check CHECK (id = 1),
  state text NOT NULL DEFAULT 'live' CONSTRAINT cloacina_tenant_state_check
    CHECK (state IN ('live', 'copying', 'stopping', 'moved', 'arriving')),
  move_id uuid,
  peer text,
  deadline timestamptz,
  changed_at timestamptz NOT NULL DEFAULT ${SERVER_CLOCK.now},
  CONSTRAINT cloacina_tenant_move_check CHECK ((state = 'live') = (move_id IS NULL) AND (move_id IS NULL) = (peer IS NULL))
);
-- A move names itself and the other server in settings of its session, so that its copy is never taken for a tenant.
INSERT INTO ${schema}.cloacina_tenant (state, move_id, peer)
  SELECT CASE WHEN move.id IS NULL THEN 'live' ELSE 'arriving' END, move.id,
         CASE WHEN move.id IS NOT NULL THEN current_setting('cloacina.peer') END
    FROM (SELECT nullif(current_setting('cloacina.move', true), '')::uuid) move (id);
`,
  comments: [
    ['TABLE', 'tenant', 'Whether the tenant lives in this schema. One row.'],
    [
      'COLUMN',
      'tenant.state',
      'live; copying: being copied to the peer, works as usual; stopping: no new claims and starts, until the move ends or is undone; moved: lives on the peer, refuses writes; arriving: a copy that does not live yet, refuses writes.',
    ],
    ['COLUMN', 'tenant.move_id', 'The move, the same on both servers. NULL without one.'],
    ['COLUMN', 'tenant.peer', 'The name of the other server of the move. NULL without one.'],
    ['COLUMN', 'tenant.deadline', 'When the stop is undone, unless the move has ended.'],
    ['COLUMN', 'tenant.changed_at', 'When the state last changed.'],
  ],
};
