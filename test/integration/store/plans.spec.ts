import { nextNo } from './claim-numbers.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { claimTasks, claimValues } from '../../../lib/store/postgres/statements/claim-tasks.js';
import { readKnownDefinitions } from '../../../lib/store/postgres/statements/definitions.js';
import { readPastDeadlines } from '../../../lib/store/postgres/statements/time-outs.js';
import { readDueTimes } from '../../../lib/store/postgres/statements/wake-ups.js';
import type { Statement } from '../../../lib/store/postgres/statements/statement.js';
import { createScratchDatabase, type ScratchDatabase } from '../migrations/scratch-database.js';
import { explain, pagesTouched, rowsLookedAt, scansOf, type PlanMode } from './explain.js';
import { claimant, CONTROLS, HOT, join, RECOVERY, type Hot } from './hot-statements.js';
import { ADMISSIONS } from './hot-admissions.js';
import { sized } from '../../support/sizes.js';
import { openStore, type OpenStore } from './open-store.js';
import type { Session } from './session.js';
import { fanIn } from '../../conformance/workflows.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';

/** Task rows of the large table; a million takes a minute or so. */
const ROWS = Number(process.env['PLAN_ROWS'] ?? sized(200_000, 60_000));
const ENDED = Math.floor(ROWS / 3);

const TASK = 'cloacina_task_execution';
const EXECUTION = 'cloacina_workflow_execution';

let open: OpenStore;
let session: Session;

// A database of its own: another test's open transaction would keep VACUUM from removing what `empty()` deletes, and
// what is dead and still there has to be read past.
let database: ScratchDatabase;

beforeAll(async () => {
  database = await createScratchDatabase();
  open = await openStore(database.url);
  session = await open.connect();
});
afterAll(async () => {
  await open.close();
  await database.drop();
});

/** Executions of the join as they are long after their end. */
async function addEnded(executions: number): Promise<void> {
  await open.admin.query(`
    WITH e AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, ${executions}) n), x AS (
      INSERT INTO ${open.tables.execution} (id, workflow, definition_id, status, input, remaining_leaves, completed_at)
      SELECT id, 'test', 1, 'Completed', '{}', 0, now() FROM e
    )
    INSERT INTO ${open.tables.task} (execution_id, task_no, definition_id, status, claim_token, output, completed_at)
    SELECT id, no, 1, 'Completed', ${FIRST_TOKEN + 1}, '{}', now() FROM e, generate_series(0, 2) no`);
}

async function expectPlans(
  client: pg.ClientBase = session.client,
  list: readonly Hot[] = [...HOT, ...ADMISSIONS, ...RECOVERY],
): Promise<void> {
  const ids = [randomUUID(), randomUUID(), randomUUID()];
  for (const mode of ['generic', 'custom'] as const satisfies PlanMode[]) {
    for (const { statement, values, tasks, executions } of list) {
      const nodes = await explain(client, open.tables, statement, values(ids), { mode });
      for (const [table, allowed] of [
        [TASK, tasks],
        [EXECUTION, executions],
      ] as const) {
        const scans = scansOf(nodes, table);
        const seen = { statement: statement.name, mode, scans };
        const wrong = scans.filter((scan) => allowed?.test(scan) !== true);
        expect({ ...seen, wrong }).toEqual({ ...seen, wrong: [] });
        expect(scans.length > 0).toBe(allowed !== undefined);
      }
    }
  }
}

describe('hot statements find their rows by key', () => {
  test('on empty tables that were never analysed', () => expectPlans());

  test('on empty tables that were analysed', async () => {
    await analyse();
    await expectPlans();
  });

  test('on tables of a few rows that were analysed', async () => {
    await session.startOne(join);
    await analyse();
    await expectPlans();
  });

  test('on a large table that was analysed at a quiet moment, and after it', async () => {
    await addEnded(ENDED);
    await analyse();
    await expectPlans();
    await session.startMany(join, 50);
    await session.startMany(join, 50, { claims: 0 });
    await expectPlans();
  });

  test('on a large table that is busy', async () => {
    await session.startMany(fanIn(50), 50);
    await session.startMany(fanIn(50), 50, { claims: 0, runAt: new Date('2100-01-01') });
    await analyse();
    await expectPlans();
  });

  test('on a table that was emptied and analysed', async () => {
    await empty();
    await expectPlans();
  });
});

describe('on a large table that was analyzed at a quiet moment', () => {
  beforeAll(async () => {
    await addEnded(ENDED);
    await analyse();
  });

  test('cancel, pause and their like find their rows by key, with the settings of the other pool', async () => {
    const client = await open.pools.general.connect();
    try {
      await expectPlans(client, CONTROLS);
    } finally {
      client.release();
    }
  });

  test('a boot finds the definitions of unfinished executions without a look at those that have ended', async () => {
    const known: Statement = {
      name: 'known',
      columns: readKnownDefinitions.columns,
      text: (tables) => readKnownDefinitions.textFor([tables]),
    };
    await session.startMany(join, 50);
    for (const mode of ['generic', 'custom'] as const) {
      const nodes = await explain(open.admin, open.tables, known, [['test']], {
        mode,
        analyze: true,
      });
      expect(rowsLookedAt(nodes)).toBeLessThan(1_000);
      expect(pagesTouched(nodes)).toBeLessThan(1_000);
    }
  });

  test.each(HOT.filter(({ batched = true }) => batched))(
    'the work of $statement.name grows with its batch and nothing else',
    async ({ statement, values }) => {
      const work = async (count: number): Promise<{ rows: number; pages: number }> => {
        const ids = await session.startMany(join, count);
        await session.startMany(join, count, { claims: 0 });
        const nodes = await explain(session.client, open.tables, statement, values(ids), {
          mode: 'generic',
          analyze: true,
        });
        return { rows: rowsLookedAt(nodes), pages: pagesTouched(nodes) };
      };
      const [small, large] = [await work(20), await work(200)];
      expect(large.rows).toBeLessThan(12 * small.rows);
      // More of the larger batch's rows find no room in their page, and get entries in each index.
      expect(large.pages).toBeLessThan(30 * small.pages);
    },
  );
});

describe('what lies in the way of a claim', () => {
  // Of definition 1, ten tasks to claim, and many that are not due for an hour or held; of 3, many that nobody here runs.
  beforeAll(async () => {
    await empty();
    await session.startMany(join, 5, { claims: 0 });
    await open.admin.query(`
      INSERT INTO ${open.tables.task} (execution_id, task_no, definition_id, status, priority, run_at, paused)
      SELECT gen_random_uuid(), 0, CASE WHEN n % 3 = 2 THEN 3 ELSE 1 END, 'Ready', n % 2,
             CASE WHEN n % 3 = 0 THEN now() + n * interval '1 second' + interval '1 hour'
                  ELSE now() - interval '1 hour' END,
             n % 3 = 1
      FROM generate_series(1, ${ROWS}) n`);
    await open.admin.query(`
      INSERT INTO ${open.tables.execution} (id, workflow, definition_id, status, input, remaining_leaves, deadline_at)
      SELECT gen_random_uuid(), 'test', 1, 'Running', '{}', 1, now() + n * interval '1 second' + interval '1 hour'
      FROM generate_series(1, ${ENDED}) n`);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['before the first ANALYZE', () => Promise.resolve()],
    ['after it', analyse],
  ])('is not looked at, %s', async (_, prepare) => {
    await prepare();
    for (const mode of ['generic', 'custom'] as const) {
      const nodes = await explain(
        session.client,
        open.tables,
        claimTasks,
        // More than are due: then nothing else ends the search.
        claimValues(['1', '2'], [['2', 0]], 50, claimant, false, nextNo()),
        { mode, analyze: true },
      );
      // Ten tasks, and the inputs of the five executions that begin with them.
      const rows = nodes[0]?.['Actual Rows'];
      expect(rows).toBe(15);
      expect(rowsLookedAt(nodes)).toBeLessThan(500);
      expect(pagesTouched(nodes)).toBeLessThan(1_000);
    }
  });

  test.each([
    ['due', 'lower', 4, -1],
    ['not due', 'higher', 5, 1],
  ])('nor are thousands that are %s, with a %s priority each', async (_, __, definition, sign) => {
    const levels = sized(20_000, 8_000);
    await open.admin.query(`
      INSERT INTO ${open.tables.task} (execution_id, task_no, definition_id, status, priority, run_at)
      SELECT gen_random_uuid(), 0, ${definition}, 'Ready', ${sign} * (n + 10), now() + ${sign} * interval '1 hour'
      FROM generate_series(1, ${levels}) n`);
    const nodes = await explain(
      session.client,
      open.tables,
      claimTasks,
      claimValues(['1', '2', String(definition)], [], 10, claimant, false, nextNo()),
      { mode: 'generic', analyze: true },
    );
    expect(nodes[0]?.['Actual Rows']).toBe(15);
    // To look up one after the other costs more than a page each.
    expect(pagesTouched(nodes)).toBeLessThan(levels / 5);
    if (sign < 0) expect(rowsLookedAt(nodes)).toBeLessThan(1_000);
  });

  test('what is due next is read from the first entry of an index', async () => {
    const dueTimes: Statement = {
      name: 'due',
      columns: readDueTimes.columns,
      text: (tables) => readDueTimes.textFor([tables]),
    };
    for (const [statement, values] of [
      [dueTimes, []],
      [readPastDeadlines, [null, null]],
    ] as const) {
      for (const mode of ['generic', 'custom'] as const) {
        const nodes = await explain(open.admin, open.tables, statement, values, {
          mode,
          analyze: true,
        });
        expect(rowsLookedAt(nodes)).toBeLessThan(20);
        expect(pagesTouched(nodes)).toBeLessThan(50);
      }
    }
  });
});

async function analyse(): Promise<void> {
  await open.admin.query(`ANALYZE ${open.tables.task}, ${open.tables.execution}`);
}

async function empty(): Promise<void> {
  await open.admin.query(`DELETE FROM ${open.tables.task}`);
  await open.admin.query(`DELETE FROM ${open.tables.execution}`);
  await open.admin.query(`VACUUM (ANALYZE) ${open.tables.task}, ${open.tables.execution}`);
}
