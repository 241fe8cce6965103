import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { queryIn } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { start } from './application.js';

const TENANTS = sized(40, 20);
const schemas = Array.from({ length: TENANTS }, () => freshSchema('many'));

const version = (count: number) =>
  defineWorkflow('many')
    .task('only', ({ tenant }) => ({ tenant, count }))
    .task('then', { dependsOn: ['only'], timeout: count * 1_000 }, () => undefined)
    .build();
const application = (workflow = version(1)) =>
  start([{ provide: workflow.name, useValue: workflow }]);

const query = Reflect.get(pg.Client.prototype, 'query') as (...args: unknown[]) => unknown;
afterEach(() => void Reflect.set(pg.Client.prototype, 'query', query));

/** What opening a tenant by itself asks; the rounds of the library's own timers are about something else. */
const OPENING =
  /cloacina_workflow_definition|cloacina_migrations|version\(\)|current_(database|schema)/;

/** How many statements about the opening of tenants all connections of this process send meanwhile. */
async function statementsDuring(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  Reflect.set(pg.Client.prototype, 'query', function (this: object, ...args: unknown[]): unknown {
    const [first] = args;
    const text = typeof first === 'string' ? first : String(Reflect.get(Object(first), 'text'));
    if (OPENING.test(text)) count++;
    return Reflect.apply(query, this, args);
  });
  await work();
  Reflect.set(pg.Client.prototype, 'query', query);
  return count;
}

/**
 * Opens one tenant, and then the others at the same time. How many of these go together depends on what is under way, so the
 * only bound is what they would take one after the other.
 */
async function expectFewStatements(tenants: CloacinaTenants): Promise<void> {
  const alone = await statementsDuring(() => addAll(tenants, schemas.slice(0, 1)));
  const others = await statementsDuring(() => addAll(tenants, schemas.slice(1)));
  expect(alone).toBeGreaterThan(1);
  expect(others).toBeGreaterThan(1);
  expect(others).toBeLessThan(alone * (TENANTS - 1));
}

const addAll = (tenants: CloacinaTenants, list = schemas) =>
  Promise.all(list.map((schema) => tenants.add({ schema })));

const definitions = (schema: string): Promise<{ id: string; hash: string }[]> =>
  queryIn(
    schema,
    'SELECT id, hash FROM cloacina_workflow_definition ORDER BY registered_at DESC, id',
  );

describe('Many tenants at once', () => {
  beforeAll(async () => {
    const { tenants, app } = await application();
    await addAll(tenants);
    await app.close();
  });

  it('take a few statements when nothing is to be created, not a few each', async () => {
    const { tenants } = await application();
    await expectFewStatements(tenants);
    expect(tenants.list()).toHaveLength(TENANTS);
  });

  it('take a few statements when the code has another version of a workflow', async () => {
    const before = await definitions(schemas[0]!);
    const { tenants, app } = await application(version(2));
    await expectFewStatements(tenants);
    for (const schema of schemas) expect(await definitions(schema)).toHaveLength(2);
    await app.close();
    // Back to the version before, which becomes the newest again under the id that it had.
    const back = await application(version(1));
    await expectFewStatements(back.tenants);
    expect((await definitions(schemas[0]!))[0]).toEqual(before[0]);
    const result = await back.tenants.get(schemas[1]!).runner.execute('many');
    expect(result.context).toEqual({ tenant: schemas[1], count: 1 });
  });

  it('run what executions of an older version left, in each tenant', async () => {
    const client = await start([], { shared: { maxConcurrentTasks: 0 } });
    await addAll(client.tenants, schemas.slice(0, 3));
    const handles = await Promise.all(
      schemas.slice(0, 3).map((schema) => client.tenants.get(schema).runner.start('many')),
    );
    const { tenants } = await application(version(3));
    await addAll(tenants);
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results.map(({ context }) => context.tenant)).toEqual(schemas.slice(0, 3));
  });

  it('are opened but for the broken ones, which say what is wrong with them', async () => {
    const [broken, locked] = [schemas[5]!, schemas[6]!];
    await queryIn(broken, 'ALTER TABLE cloacina_workflow_definition RENAME TO hidden');
    const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
    await client.connect();
    await client.query(`BEGIN; LOCK TABLE ${locked}.cloacina_workflow_definition`);
    const { tenants } = await application();
    const outcomes = schemas.map((schema) => tenants.add({ schema }));
    const others = outcomes.filter((_, i) => i !== 5 && i !== 6);
    expect((await Promise.all(others)).length).toBe(TENANTS - 2);
    await expect(outcomes[5]).rejects.toThrow(/cloacina_workflow_definition/);
    await client.query('ROLLBACK');
    await client.end();
    expect((await outcomes[6])?.schema).toBe(locked);
    expect(tenants.has(broken)).toBe(false);
    await queryIn(broken, 'ALTER TABLE hidden RENAME TO cloacina_workflow_definition');
    await tenants.add({ schema: broken });
  });

  it('find work that lies in one of them at once', async () => {
    const client = await start([{ provide: 'many', useValue: version(1) }], {
      shared: { maxConcurrentTasks: 0 },
    });
    await addAll(client.tenants, schemas.slice(7, 8));
    const handle = await client.tenants.get(schemas[7]!).runner.start('many');
    const { tenants } = await application();
    await addAll(tenants);
    expect((await handle.result()).status).toBe('Completed');
  });
});
