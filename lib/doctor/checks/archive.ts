import { readRows } from '../../store/postgres/connections/own-types.js';
import { counted, type TenantCheck } from '../check.js';

/** An archive that fails, so that executions are kept which retention should delete. */
export const archive: TenantCheck = {
  scope: 'tenant',
  id: 'archive',
  severity: 'error',
  title: 'The archive fails, so ended executions are kept',
  reads: 'rows',
  find: async ({ client, schema, table }) => {
    const rows = await readRows<{ failures: number; name: string; message: string }>(
      client,
      `SELECT r.failures, coalesce(r.failure ->> 'name', 'Error') AS name,
              left(coalesce(r.failure ->> 'message', ''), 500) AS message
         FROM ${table('retention')} r WHERE r.failures > 0`,
      [],
    );
    return rows.map(({ failures, name, message }) => ({
      detail: `Schema "${schema}": the archive has had ${counted(failures, 'failure')} in a row: ${name}: ${message.replace(/\.$/, '')}.`,
      facts: { failures, name, message },
    }));
  },
  advice: ({ facts }) =>
    facts['name'] === 'ArchiveReadError'
      ? 'Look at the execution that the error names. If it can not be mended, delete it with runner.delete(), which does not archive it.'
      : 'Mend the archive. It is called again after at most ten minutes, and the deletion goes on when it has taken the executions.',
};
