import { expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTenant } from '../../support/open-tenant.js';
import { rowsOf, scratchDatabase } from '../../support/scratch-database.js';
import { CONFLICTS } from './statement-faults.js';

const TIMES = 3;
const workflow = defineWorkflow('migrated')
  .task('only', () => ({ ran: true }))
  .build();

it.each(Object.entries(CONFLICTS))(
  'A %s in a migration is no more than a delay',
  async (_, code) => {
    const databaseUrl = await scratchDatabase();
    // In the middle of it: the schema is there by then, and goes with the transaction.
    await rowsOf(
      databaseUrl,
      `CREATE SEQUENCE fault;
     CREATE FUNCTION raise_fault() RETURNS event_trigger LANGUAGE plpgsql AS $$
     BEGIN
       IF position('cloacina_runner_lease' IN current_query()) > 0 AND nextval('public.fault') <= ${TIMES} THEN
         RAISE EXCEPTION 'injected' USING ERRCODE = '${code}';
       END IF;
     END $$;
     CREATE EVENT TRIGGER raise_fault ON ddl_command_start WHEN TAG IN ('CREATE TABLE')
       EXECUTE FUNCTION raise_fault()`,
    );
    const tenant = await openTenant([workflow], { databaseUrl });
    expect((await tenant.runner.execute(workflow)).context).toEqual({ ran: true });
    expect(await tenant.migrator.status()).toMatchObject({ pending: [] });
    const [row] = await rowsOf<{ raised: number }>(
      databaseUrl,
      'SELECT last_value::integer AS raised FROM fault',
    );
    expect(row?.raised).toBeGreaterThanOrEqual(TIMES);
    await tenant.close();
  },
);
