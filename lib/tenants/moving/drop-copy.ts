import type { AdminSession } from '../admin/admin-session.js';
import { dropFound } from '../admin/remove-tenant.js';
import { describeState, readTenantState } from '../admin/tenant-state.js';
import { readRefusal } from './schema-places.js';

/**
 * Drops a schema that does not live on a server, with the roles that belong to it: a copy that is not complete, or what a tenant has
 * left behind. No process works in it, so nothing has to be stopped. The caller makes sure that no other call works on the tenant.
 *
 * @param moveId - the move that the schema must be of. Anything else is left alone
 * @returns what was dropped
 */
export async function dropUnusedSchema(
  session: AdminSession,
  schema: string,
  moveId: string,
): Promise<string[]> {
  const refusal = await readRefusal(session.client, schema);
  const state = await readTenantState(session, { schema });
  const isOfMove =
    refusal === undefined
      ? state.login?.stage === 'creating' && state.schema?.hasTables !== true
      : (refusal.state === 'arriving' || refusal.state === 'moved') && refusal.moveId === moveId;
  if (!isOfMove) return [];
  await dropFound(session, schema, state);
  return describeState(schema, state);
}
