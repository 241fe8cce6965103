import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { FairConnectionPool } from '../../../lib/store/postgres/connections/fair-connection-pool.js';
import { TenantStatements } from '../../../lib/store/postgres/tenant-statements.js';
import { columns, text } from '../../../lib/store/postgres/statements/columns.js';
import { type Statement, tenantTables } from '../../../lib/store/postgres/statements/statement.js';
import { databaseUrl } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { systemClock } from '../../../lib/runtime/clock.js';

/** More than a connection may keep. */
const TENANTS = 230;
const MAX_PREPARED = 200;
/** Enough in a row to be taken for busy. */
const RUNS = 8;

const TOLD = columns({ told: text });
const statement: Statement = {
  name: 'tell',
  columns: TOLD,
  text: (tables) => `SELECT ${TOLD.select({ told: `$1::text || ' in ' || '${tables.task}'` })}`,
};

function tenant(no: number): TenantStatements {
  return new TenantStatements(tenantTables(`t${no}`), `key${no}`, `t${no}`, systemClock);
}

describe('Prepared statements', () => {
  let pool: pg.Pool;
  let turns: FairConnectionPool;
  beforeAll(() => {
    pool = new pg.Pool({ connectionString: databaseUrl(), max: 1 });
    turns = new FairConnectionPool([pool], systemClock);
  });
  afterAll(() => pool.end());

  const prepared = async (): Promise<string[]> => {
    const { rows } = await pool.query<{ name: string }>('SELECT name FROM pg_prepared_statements');
    return rows.map(({ name }) => name);
  };
  const run = async (statements: TenantStatements, runs: number): Promise<void> => {
    const runner = statements.inTurn(turns);
    for (let i = 0; i < runs; i++) {
      const rows = await runner.run(statement, [String(i)]);
      expect(rows).toEqual([{ told: `${i} in ${statements.tables.task}` }]);
    }
  };

  it('are those of busy tenants, and no more of them than a bound: the latest ones', async () => {
    await run(tenant(0), 3);
    expect(await prepared()).toEqual([]);
    const tenants = Array.from({ length: TENANTS }, (_, i) => tenant(i));
    for (const statements of tenants) {
      await run(statements, RUNS);
      // What the server refuses for its data is prepared all the same, and counts.
      await expect(statements.inTurn(turns).run(statement, ['\0'])).rejects.toThrow();
    }
    const names = await prepared();
    expect(names.length).toBeGreaterThan(MAX_PREPARED / 2);
    expect(names.length).toBeLessThanOrEqual(MAX_PREPARED);
    expect(names).not.toContain('cloacina_key0_tell');
    // One that was dropped is busy again: on a machine that lets it run so many times without a pause.
    await waitFor(async () => {
      await run(tenants[0]!, RUNS);
      return (await prepared()).includes('cloacina_key0_tell');
    });
    expect((await prepared()).length).toBeLessThanOrEqual(MAX_PREPARED);
  });
});
