import { expect, test } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { KEEP_ALL } from '../../../lib/workflow/retention.js';
import { ownedTables } from '../../../lib/store/postgres/statements/delete-executions.js';
import { tenantTables } from '../../../lib/store/postgres/statements/statement.js';
import { startChild } from '../../support/child-process.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import type { RetentionProcessSettings } from './retention-process.js';

const SCRIPT = new URL('retention-process.ts', import.meta.url);
const PARENTS = 20;
const child = defineWorkflow('child')
  .task('one', (context) => context.step('a step', () => 1).then(() => ({})))
  .build();
const parent = defineWorkflow<{ n: number }>('parent')
  .task('both', async (context) => {
    await context.executeAll([
      [child, {}],
      [child, {}],
    ]);
    return {};
  })
  .build();

/** What of the trees is there: the number of executions of each, and rows that belong to none. */
async function left({ query, schema }: OpenTenant & { readonly schema: string }) {
  const trees = await query<{ members: number }>(
    `SELECT count(*)::integer AS members FROM cloacina_workflow_execution
     GROUP BY coalesce(root_execution_id, id)`,
  );
  const orphans: string[] = [];
  for (const [table] of ownedTables(tenantTables(`"${schema}"`))) {
    const rows = await query(
      `SELECT FROM ${table} o WHERE o.execution_id IS NOT NULL AND NOT EXISTS (
         SELECT FROM cloacina_workflow_execution x WHERE x.id = o.execution_id)`,
    );
    if (rows.length > 0) orphans.push(table);
  }
  return { sizes: [...new Set(trees.map(({ members }) => members))], trees: trees.length, orphans };
}

type Kill = Omit<RetentionProcessSettings, 'schema'>;
const KILLS: readonly Kill[] = [
  { statement: 'takeTurn', dieAt: 'after' },
  { statement: 'walk', dieAt: 'after' },
  { statement: 'trees', dieAt: 'after', archives: true },
  { statement: 'keepKeys', dieAt: 'after', keysMs: 86_400_000 },
  { statement: 'delete', dieAt: 'before' },
  { statement: 'delete', dieAt: 'during' },
];

test('A process that is killed while it deletes leaves whole trees, and another one deletes them', async () => {
  const schema = freshSchema();
  const tenant = { ...(await openTenant([parent, child], { schema })), schema };
  const inputs = Array.from({ length: PARENTS }, (_, n) => ({ n }));
  await tenant.runner.startMany(parent, inputs, { key: ({ n }) => `parent ${n}` });
  await waitFor(async () => {
    const [counts] = await tenant.runner.counts({ workflow: parent });
    return counts?.byStatus.Completed === PARENTS;
  });
  for (const kill of KILLS) {
    // The turn of a killed process ends in two minutes.
    await tenant.query('UPDATE cloacina_retention SET holder = NULL');
    const settings: RetentionProcessSettings = { schema, ...kill };
    const process = startChild(SCRIPT, { env: { RETENTION_PROCESS: JSON.stringify(settings) } });
    expect(await process.end()).toMatchObject({ signal: 'SIGKILL' });
    const { sizes, orphans } = await left(tenant);
    expect(orphans).toEqual([]);
    expect(sizes.filter((size) => size !== 3)).toEqual([]);
  }
  await tenant.query('UPDATE cloacina_retention SET holder = NULL');
  const rule = { ...KEEP_ALL, completedMs: 0 };
  await openTenant([], { schema, leaseDurationMs: 1_000, retention: { rule } });
  await waitFor(async () => (await left(tenant)).trees === 0);
  expect((await left(tenant)).orphans).toEqual([]);
});
