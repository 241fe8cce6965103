import { beforeAll, describe, expect, it } from '@jest/globals';
import { TENANT_MANAGER } from '../../../lib/boot/registration.js';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getRunnerToken } from '../../../lib/cloacina.tokens.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import {
  ConfigurationError,
  DatabaseUnavailableError,
  NotAllowedError,
  TenantRemovedError,
  UnknownTenantError,
} from '../../../lib/errors/index.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import type { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import type { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { aborted, gate, type Gate } from '../../support/gate.js';
import { queryIn } from '../../support/open-tenant.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { compile, start, type Application } from './application.js';
import { preparedSchema } from './prepared-schema.js';

const quick = defineWorkflow('quick')
  .task('only', ({ tenant }) => ({ ranFor: tenant }))
  .build();

/** By tenant: its handlers stand at it, or heed their signal. */
const gates = new Map<string, Gate>();
const running = new Map<string, number>();
const slow = defineWorkflow('slow')
  .task('wait', async ({ tenant, signal }) => {
    running.set(tenant, (running.get(tenant) ?? 0) + 1);
    await Promise.race([gates.get(tenant)?.passed, aborted(signal)]);
    signal.throwIfAborted();
  })
  .task('after', { dependsOn: ['wait'] }, () => undefined)
  .build();
const workflows = [quick, slow].map((useValue) => ({ provide: useValue.name, useValue }));

/** However busy the machine is. */
const PATIENCE_MS = 60_000;

function gateFor(tenant: string): Gate {
  const made = gate();
  gates.set(tenant, made);
  return made;
}

const runs = (tenant: string, count = 1): Promise<unknown> =>
  waitFor(() => (running.get(tenant) ?? 0) >= count, {
    what: `a handler of ${tenant}`,
    deadline: PATIENCE_MS,
  });

describe('CloacinaTenants', () => {
  let tenants: CloacinaTenants;
  let app: Application['app'];
  let fixed = '';
  beforeAll(async () => {
    fixed = await preparedSchema('fixed');
    const forTenant = CloacinaModule.forTenant({ tenant: 'fixed', schema: fixed });
    ({ tenants, app } = await start(workflows, { imports: [forTenant] }));
  });

  it('serves a tenant that is added, beside those of forTenant', async () => {
    const schema = await preparedSchema();
    expect(tenants.has('late')).toBe(false);
    const tenant = await tenants.add({ tenant: 'late', schema });
    expect(tenant).toMatchObject({ name: 'late', schema });
    const result = await tenant.runner.execute(quick);
    expect(result.context).toEqual({ ranFor: 'late' });
    expect(tenants.get('late')).toBe(tenant);
    expect(tenants.has('late')).toBe(true);
    expect(tenants.list().map(({ name }) => name)).toEqual(['fixed', 'late']);
    expect(await tenant.dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await tenants.remove('late');
    expect(tenants.list().map(({ name }) => name)).toEqual(['fixed']);
  });

  it('returns the one tenant to twenty calls at once, and to a later one', async () => {
    const options = { schema: freshSchema() };
    const added = await Promise.all(Array.from({ length: 20 }, () => tenants.add({ ...options })));
    expect(new Set(added).size).toBe(1);
    expect(await tenants.add({ ...options })).toBe(added[0]);
    expect(await tenants.add({ tenant: 'fixed', schema: fixed })).toBe(tenants.get('fixed'));
  });

  it('refuses another tenant of the name, on the schema, or of another spelling', async () => {
    const schema = freshSchema();
    const first = tenants.add({ tenant: 'taken', schema });
    const problemsOf = (options: object): Promise<unknown> =>
      tenants.add(options).catch((error: unknown) => (error as ConfigurationError).problems);
    const refused = [
      problemsOf({ tenant: 'taken', schema, maxConcurrentTasks: 3 }),
      problemsOf({ tenant: 'other', schema }),
      problemsOf({ tenant: 'Taken', schema: freshSchema() }),
      problemsOf({ tenant: 'upper', schema: schema.toUpperCase() }),
      problemsOf({ schema: 'x y', workflows: ['nothing'], maxTasks: 1 }),
      problemsOf({ schema: freshSchema(), workflows: ['quik'] }),
    ];
    await first;
    expect(await Promise.all(refused)).toEqual([
      [expect.stringContaining('Tenant "taken" is open with other options')],
      [expect.stringContaining('The tenants "taken" and "other" are on one schema')],
      [expect.stringContaining('The tenants "taken" and "Taken" differ only in case')],
      [expect.stringContaining('on schemas that differ only in case')],
      [expect.stringContaining("schema 'x y'"), expect.stringContaining('no option "maxTasks"')],
      [expect.stringContaining('Did you mean "quick"?')],
    ]);
    expect(tenants.has('other')).toBe(false);
    await tenants.remove('taken');
    // Nothing of the refused ones is in the way, nor of the removed one.
    expect(await tenants.add({ tenant: 'Taken', schema })).toMatchObject({ name: 'Taken' });
  });

  it('says which tenant was probably meant', () => {
    expect(() => tenants.get('fixd')).toThrow(UnknownTenantError);
    expect(() => tenants.get('fixd')).toThrow('Did you mean "fixed"?');
  });

  it('leaves nothing behind when it fails, and can be repeated', async () => {
    const schema = freshSchema();
    await queryIn(
      'public',
      `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.cloacina_runner_lease ()`,
    );
    await expect(tenants.add({ tenant: 'failing', schema })).rejects.toThrow(
      /cloacina_runner_lease/,
    );
    expect(tenants.has('failing')).toBe(false);
    await queryIn('public', `DROP TABLE ${schema}.cloacina_runner_lease`);
    const { runner } = await tenants.add({ tenant: 'failing', schema });
    expect((await runner.execute(quick)).status).toBe('Completed');
  });

  it('does not wait for ever for a database that is away', async () => {
    const away = {
      tenant: 'away',
      databaseUrl: 'postgres://u:s3cret@127.0.0.1:1/x',
      startTimeout: 0,
    };
    const failures = await Promise.allSettled([tenants.add(away), tenants.add({ ...away })]);
    for (const failure of failures) {
      expect(failure).toMatchObject({ reason: expect.any(DatabaseUnavailableError) });
      expect(JSON.stringify(failure)).not.toContain('s3cret');
    }
    expect(tenants.has('away')).toBe(false);
  });

  it('lets handlers end before a tenant is gone, and then refuses', async () => {
    const { runner } = await tenants.add({ tenant: 'draining', schema: await preparedSchema() });
    const door = gateFor('draining');
    const handle = await runner.start(slow);
    const waits = expect(handle.result()).rejects.toThrow(TenantRemovedError);
    await runs('draining');
    const removed = tenants.remove('draining');
    await Promise.resolve();
    expect(tenants.has('draining')).toBe(false);
    // Other tenants notice nothing.
    expect((await tenants.get('fixed').runner.execute(quick)).status).toBe('Completed');
    door.open();
    await removed;
    await waits;
    const refused = [
      runner.start(quick),
      runner.execute(quick),
      runner.get(handle.id),
      runner.list(),
      runner.cancel(handle.id),
      runner.pause(handle.id),
      runner.retry(handle.id),
      handle.status(),
      handle.result(),
    ];
    for (const call of refused) await expect(call).rejects.toThrow(TenantRemovedError);
    // The first task's outcome was recorded; the second one was left to whoever serves the tenant next.
    const again = await tenants.add({ tenant: 'draining', schema: runner.schema });
    const result = await again.runner.handle(handle.id).result();
    expect(result.tasks.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
    expect(result.tasks[0]?.recoveryAttempts).toBe(0);
  });

  it('aborts handlers that take too long, and gives their tasks back', async () => {
    const options = { tenant: 'aborted', schema: await preparedSchema() };
    const { runner } = await tenants.add(options);
    gateFor('aborted');
    const handle = await runner.start(slow);
    await runs('aborted');
    await tenants.remove('aborted', { drain: 0 });
    const [task] = await queryIn<{ status: string; attempt: number }>(
      options.schema,
      'SELECT status, attempt FROM cloacina_task_execution WHERE task_no = 0',
    );
    expect(task).toMatchObject({ status: 'Ready' });
    gateFor('aborted').open();
    const again = await tenants.add(options);
    const result = await again.runner.handle(handle.id).result();
    expect(result.status).toBe('Completed');
    expect(result.tasks[0]).toMatchObject({ attempt: 1, recoveryAttempts: 0 });
  });

  it('serializes what is done to one name', async () => {
    const options = { tenant: 'turns', schema: freshSchema() };
    const results = await Promise.all([
      tenants.add(options),
      tenants.remove('turns'),
      tenants.add(options),
      tenants.remove('turns'),
      tenants.add(options),
    ]);
    expect(tenants.get('turns')).toBe(results[4]);
    expect(results[2]).not.toBe(results[0]);
    await expect(results[2].runner.list()).rejects.toThrow(TenantRemovedError);
    expect((await results[4].runner.execute(quick)).status).toBe('Completed');
    await expect(tenants.remove('never')).rejects.toThrow(UnknownTenantError);
    await expect(tenants.remove('turns', { drain: 'soon' })).rejects.toThrow('drain must be');
  });

  it('pauses the tenant alone: what runs goes on, what has not begun is given back, starts are stored', async () => {
    const { runner } = await tenants.add({
      tenant: 'paused',
      schema: freshSchema(),
      maxConcurrentTasks: 2,
    });
    const door = gateFor('paused');
    const handles = await Promise.all(Array.from({ length: 4 }, () => runner.start(slow)));
    await runs('paused', 2);
    await tenants.pause('paused');
    await tenants.pause('paused');
    handles.push(await runner.start(slow));
    door.open();
    const counted = (): Promise<{ status: string; count: number }[]> =>
      queryIn(
        runner.schema,
        'SELECT status, count(*)::integer FROM cloacina_task_execution GROUP BY 1 ORDER BY 1',
      );
    await waitFor(
      async () =>
        (await counted()).some(({ status, count }) => status === 'Completed' && count === 2),
      { deadline: PATIENCE_MS },
    );
    // Two ran to their end; their dependents, those in line and the new one lie there.
    expect(await counted()).toEqual([
      { status: 'Completed', count: 2 },
      { status: 'NotStarted', count: 3 },
      { status: 'Ready', count: 5 },
    ]);
    expect((await tenants.get('fixed').runner.execute(quick)).status).toBe('Completed');
    await tenants.resume('paused');
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['Completed']));
    await expect(tenants.pause('never')).rejects.toThrow(UnknownTenantError);
    await expect(tenants.resume('never')).rejects.toThrow(UnknownTenantError);
  });

  it('gives back what a claim brings whose reply comes after the pause', async () => {
    const { runner } = await tenants.add({ tenant: 'late-reply', schema: freshSchema() });
    const { engine } = app.get<TenantManager>(TENANT_MANAGER).find('late-reply');
    const [claimed, reply] = [gate(), gate()];
    const claim = engine.store.claim.bind(engine.store);
    engine.store.claim = async (...args) => {
      const tasks = await claim(...args);
      if (tasks.length === 0) return tasks;
      claimed.open();
      await reply.passed;
      return tasks;
    };
    // Not due at the start, so it is claimed by a statement of its own.
    const handle = await runner.start(quick, {}, { delay: 50 });
    await claimed.passed;
    await tenants.pause('late-reply');
    reply.open();
    const status = async (): Promise<string | undefined> =>
      (
        await queryIn<{ status: string }>(
          runner.schema,
          'SELECT status FROM cloacina_task_execution',
        )
      )[0]?.status;
    await waitFor(async () => (await status()) !== 'Running', { deadline: PATIENCE_MS });
    expect(await status()).toBe('Ready');
    await tenants.resume('late-reply');
    expect((await handle.result()).status).toBe('Completed');
  });

  it('closes the connections of a login with its last tenant', async () => {
    const role = freshSchema('login').replace('test_', 'role_');
    await queryIn(
      'public',
      `CREATE ROLE ${role} LOGIN PASSWORD 'pw' IN ROLE pg_monitor; GRANT CREATE ON DATABASE ${new URL(databaseUrl()).pathname.slice(1)} TO ${role}`,
    );
    const url = new URL(databaseUrl());
    url.username = role;
    url.password = 'pw';
    const connections = async (): Promise<number> =>
      (await queryIn('public', 'SELECT FROM pg_stat_activity WHERE usename = $1', [role])).length;
    try {
      const on = { databaseUrl: url.href };
      await tenants.add({ ...on, tenant: 'one', schema: freshSchema() });
      await tenants.add({ ...on, tenant: 'two', schema: freshSchema() });
      await tenants.remove('one');
      expect((await tenants.get('two').runner.execute(quick)).status).toBe('Completed');
      expect(await connections()).toBeGreaterThan(0);
      await tenants.remove('two');
      await waitFor(async () => (await connections()) === 0, { deadline: PATIENCE_MS });
      const { runner } = await tenants.add({ ...on, tenant: 'one', schema: freshSchema() });
      expect((await runner.execute(quick)).status).toBe('Completed');
      await tenants.remove('one');
      await waitFor(async () => (await connections()) === 0, { deadline: PATIENCE_MS });
    } finally {
      await queryIn('public', `DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
    }
  });
});

describe('CloacinaTenants while the application begins and ends', () => {
  it('opens before the bootstrap and claims with the application', async () => {
    const { app, tenants } = await compile(workflows);
    const { runner, schema } = await tenants.add({ tenant: 'early', schema: freshSchema() });
    const { id } = await runner.start(quick);
    const [task] = await queryIn<{ status: string }>(
      schema,
      'SELECT status FROM cloacina_task_execution',
    );
    expect(task?.status).toBe('Ready');
    await app.init();
    expect((await runner.handle(id).result()).status).toBe('Completed');
  });

  it('reports what an early one asks for that nobody provides, with the boot', async () => {
    const { app, tenants } = await compile(workflows);
    await tenants.add({ schema: freshSchema(), workflows: ['nobodys'] });
    await expect(app.init()).rejects.toThrow('has "nobodys", which no module provides');
  });

  it('removes a tenant of forTenant, also from who has it injected', async () => {
    const schema = freshSchema();
    const forTenant = CloacinaModule.forTenant({ tenant: 'mine', schema });
    const { app, tenants } = await start(workflows, { imports: [forTenant] });
    const runner = app.get<CloacinaRunner>(getRunnerToken('mine'));
    await tenants.remove('mine');
    await expect(runner.start(quick)).rejects.toThrow(TenantRemovedError);
  });

  it('refuses to open one when the shutdown has begun', async () => {
    const { app, tenants } = await start(workflows);
    await app.close();
    await expect(tenants.add({ schema: freshSchema() })).rejects.toThrow(NotAllowedError);
  });

  it('closes an application that is opening tenants', async () => {
    const { app, tenants } = await start(workflows);
    const adding = Promise.allSettled(
      Array.from({ length: 5 }, () => tenants.add({ schema: freshSchema() })),
    );
    await app.close();
    for (const outcome of await adding) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(NotAllowedError);
    }
  });
});
