import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { definitionIdOf } from '../../../lib/workflow/index.js';
import { listClaims } from '../../support/list-claims.js';
import { openTenant, queryIn, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';

const ran: string[] = [];

/** A release: what it has under the name "flow". Its tasks say what ran. */
function release(version: string, tasks: readonly string[] = ['only']): WorkflowDefinition {
  let builder = defineWorkflow('flow', { version });
  for (const name of tasks) {
    builder = builder.task(name, ({ executionId }) => {
      ran.push(executionId);
      return { [name]: version };
    });
  }
  return builder.build();
}

/** A release that starts executions, runs nothing, and leaves; their ids. */
async function starts(
  schema: string,
  version: string,
  count = 1,
  then: (tenant: OpenTenant, ids: readonly string[]) => Promise<unknown> = () => Promise.resolve(),
): Promise<string[]> {
  const tenant = await openTenant([release(version)], { schema, maxConcurrentTasks: 0 });
  const handles = Array.from({ length: count }, () => tenant.runner.start('flow'));
  const ids = (await Promise.all(handles)).map(({ id }) => id);
  await then(tenant, ids);
  await tenant.close();
  return ids;
}

const idOf = (tenant: OpenTenant): string | undefined =>
  tenant.engine.catalog.currentOf('flow')?.id;

afterEach(() => {
  jest.restoreAllMocks();
});

describe('A stored definition of a later format', () => {
  /** The warnings of all processes; each is a text. */
  function warnings(): string[] {
    const told: string[] = [];
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((text: unknown) => {
      told.push(String(text));
    });
    return told;
  }

  /** As the release after next stores it, with an execution that waits. */
  async function later(schema: string): Promise<string> {
    const [id = ''] = await starts(schema, 'later');
    await queryIn(
      schema,
      `UPDATE cloacina_workflow_definition SET definition = jsonb_set(definition::jsonb, '{format}', '99')::json`,
    );
    return id;
  }

  it('is told of once and left out: the application boots, and others run', async () => {
    const schema = freshSchema();
    const unreadable = await later(schema);
    const [readable = ''] = await starts(schema, 'before');
    const told = warnings();
    const tenant = await openTenant([release('now')], { schema });
    const looks = jest.spyOn(tenant.engine.store.definitions, 'waiting');

    expect((await tenant.runner.handle(readable).result()).context).toEqual({ only: 'now' });
    expect((await tenant.runner.execute('flow')).version).toBe('now');
    // It is met again by each look for what others have registered.
    await waitFor(() => {
      tenant.engine.claimAvailable();
      return looks.mock.calls.length >= 2;
    });
    await Promise.all(looks.mock.results.map(({ value }) => value));
    const about = told.filter((text) => text.includes('format 99'));
    expect(about).toEqual([
      expect.stringMatching(/^Workflow definition \d+ in schema "\w+" cannot be used: .*format 99/),
    ]);
    expect(tenant.engine.catalog.claimable.ids).not.toContain(definitionOf(await row(unreadable)));
    expect(ran).not.toContain(unreadable);
    expect(await row(unreadable)).toMatchObject({ status: 'Ready', owner: null, claim_token: '0' });

    async function row(id: string): Promise<Record<string, unknown>> {
      const rows = await tenant.query('SELECT * FROM cloacina_task_execution WHERE execution_id = $1', [id]); // prettier-ignore
      return { ...rows[0] };
    }
    function definitionOf({ definition_id: of }: Record<string, unknown>): string {
      return String(of);
    }
  });

  it('hides no execution: they are shown with what their rows say, and can be controlled', async () => {
    const schema = freshSchema();
    const id = await later(schema);
    warnings();
    const tenant = await openTenant([release('now')], { schema });
    const { runner } = tenant;
    const { id: other } = await runner.execute('flow');

    const shown = await runner.get(id);
    expect(shown).toMatchObject({ id, workflow: 'flow', status: 'Pending' });
    expect(shown?.tasks).toMatchObject([{ name: 'task 0', status: 'Ready' }]);
    const { items } = await runner.list();
    expect(items.map((item) => item.id)).toEqual([other, id]);
    const { context: _, tasks: __, version, ...summary } = shown ?? {};
    expect(version).toBeUndefined();
    // The version stands beside the definition that can't be read.
    expect(items[1]).toMatchObject(summary);

    const handle = runner.handle(id);
    await handle.pause();
    expect(await handle.status()).toBe('Paused');
    await handle.resume();
    expect(await handle.status()).toBe('Pending');
    await handle.cancel();
    expect((await runner.get(id))?.status).toBe('Cancelled');
    await expect(runner.retry(id)).rejects.toMatchObject({ code: 'UNREADABLE_DEFINITION' });
    expect((await runner.get(id))?.status).toBe('Cancelled');
  });

  it('is run by the release that has stored it, when that comes back', async () => {
    const schema = freshSchema();
    const id = await later(schema);
    warnings();
    const now = await openTenant([release('now')], { schema });
    await queryIn(
      schema,
      `UPDATE cloacina_workflow_definition SET definition = jsonb_set(definition::jsonb, '{format}', '1')::json
       WHERE version = 'later'`,
    );
    await openTenant([release('later')], { schema });
    expect((await now.runner.handle(id).result()).context).toEqual({ only: 'later' });
  });

  it('stays left out when it is the content of another workflow: an order never runs as a refund', async () => {
    const schema = freshSchema();
    const [id = ''] = await starts(schema, 'order');
    await starts(schema, 'refund', 1, ({ runner }, [refund = '']) => runner.cancel(refund));
    // As a copy by hand leaves it, or a store of a release whose ids were counted.
    await queryIn(
      schema,
      `UPDATE cloacina_workflow_definition d SET definition = o.definition, hash = o.hash
       FROM cloacina_workflow_definition o WHERE d.version = 'order' AND o.version = 'refund'`,
    );
    const told = warnings();
    const tenant = await openTenant([release('now')], { schema });
    expect((await tenant.runner.execute('flow')).version).toBe('now');
    expect(told.filter((text) => text.includes('its content does not match its id'))).toHaveLength(
      1,
    );
    expect(ran).not.toContain(id);
    expect((await tenant.runner.get(id))?.tasks[0]).toMatchObject({ status: 'Ready', attempt: 0 });
  });

  it('can be started by no one who knows the workflow by that alone', async () => {
    const schema = freshSchema();
    await later(schema);
    warnings();
    const client = await openTenant([], { schema });
    await expect(client.runner.start('flow')).rejects.toMatchObject({
      code: 'UNREADABLE_DEFINITION',
    });
  });
});

describe('Two thousand stored definitions of one workflow', () => {
  /** As of releases whose `version` is a commit; their content is such that to read one would be told of. */
  async function store(schema: string): Promise<void> {
    await queryIn(
      schema,
      `INSERT INTO cloacina_workflow_definition (id, hash, name, version, definition)
       SELECT n, md5(n::text), 'flow', n::text, '{}' FROM generate_series(1, 2000) n`,
    );
  }

  it('are not read by a boot, apart from those of executions that have not ended', async () => {
    const schema = freshSchema();
    await starts(schema, 'ended', 1, (tenant, [id = '']) => tenant.runner.handle(id).cancel());
    const [waiting = ''] = await starts(schema, 'waiting');
    const [running = ''] = await starts(schema, 'running', 1, async (tenant, [id]) => {
      // By a process that was killed: it has no lease any more.
      await tenant.query(
        `UPDATE cloacina_task_execution SET status = 'Running', run_at = NULL, owner = gen_random_uuid(),
           claim_token = ${FIRST_TOKEN}, started_at = now() WHERE execution_id = $1`,
        [id],
      );
      await tenant.query(listClaims());
    });
    const [paused = ''] = await starts(schema, 'paused', 1, (tenant, [id = '']) =>
      tenant.runner.handle(id).pause(),
    );
    await store(schema);
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();

    // It takes nothing, so what it knows is what its boot has read.
    const boot = await openTenant([release('now')], {
      schema,
      maxConcurrentTasks: 0,
      enableRecovery: false,
    });
    const { ids } = boot.engine.catalog.claimable;
    const versions = await boot.query<{ version: string }>(
      'SELECT version FROM cloacina_workflow_definition WHERE id = ANY ($1::bigint[]) ORDER BY version',
      [ids],
    );
    expect(versions.map(({ version }) => version)).toEqual(['now', 'paused', 'running', 'waiting']);
    expect(ids).toHaveLength(4);
    const known = await boot.engine.store.definitions.known(['flow']);
    expect([known.newest.length, known.active.length]).toEqual([1, 3]);
    expect(known.newest[0]?.id).toBe(idOf(boot));
    expect(warn.mock.calls.filter(([text]) => String(text).includes('definition'))).toEqual([]);

    const tenant = await openTenant([release('now')], { schema });
    const results = [waiting, running].map((id) => tenant.runner.handle(id).result());
    expect((await Promise.all(results)).map(({ version }) => version)).toEqual([
      'waiting',
      'running',
    ]);
    expect((await tenant.runner.get(running))?.tasks[0]).toMatchObject({ recoveryAttempts: 1 });
    expect((await tenant.runner.get(paused))?.status).toBe('Paused');
    await tenant.runner.handle(paused).resume();
    expect((await tenant.runner.handle(paused).result()).version).toBe('paused');
  });

  it('are not claimed: an execution of one that ended is found again by its retry', async () => {
    const schema = freshSchema();
    const [ended = ''] = await starts(schema, 'ended', 1, (tenant, [id = '']) =>
      tenant.runner.handle(id).cancel(),
    );
    await store(schema);
    const tenant = await openTenant([release('now')], { schema });
    const other = await openTenant([], { schema });
    expect(tenant.engine.catalog.claimable.ids).toEqual([idOf(tenant)]);
    // By a process that runs none of it.
    await other.runner.retry(ended);
    expect(await other.runner.handle(ended).result()).toMatchObject({
      version: 'ended',
      context: { only: 'now' },
    });
  });
});

describe('A definition that another process registers after this one has booted', () => {
  it('is found when it has an execution, and run with the handlers that are here', async () => {
    const schema = freshSchema();
    const old = await openTenant([release('1')], { schema });
    // Both within the second in which it looks but once.
    const ids = [...(await starts(schema, '2')), ...(await starts(schema, '3'))];
    const results = await Promise.all(ids.map((id) => old.runner.handle(id).result()));
    expect(results.map(({ version, context }) => [version, context])).toEqual([
      ['2', { only: '1' }],
      ['3', { only: '1' }],
    ]);
    expect(old.engine.catalog.claimable.ids).toHaveLength(3);
  });

  it('has its tasks left to others where this process has no handler for them', async () => {
    const schema = freshSchema();
    const old = await openTenant([release('1')], { schema });
    const next = await openTenant([release('2', ['only', 'more'])], {
      schema,
      maxConcurrentTasks: 0,
    });
    const { id } = await next.runner.start('flow');
    await next.close();
    await waitFor(async () => (await old.runner.get(id))?.tasks.some(({ status }) => status === 'Completed')); // prettier-ignore
    expect((await old.runner.get(id))?.tasks).toMatchObject([
      { name: 'only', status: 'Completed' },
      { name: 'more', status: 'Ready', attempt: 0, waitingFor: { reason: 'handler' } },
    ]);
  });

  it('has the id that its content has, in every schema', async () => {
    const [one, two] = [await openTenant([release('1')]), await openTenant([release('1')])];
    const [id, hash] = [idOf(one), one.engine.catalog.currentOf('flow')?.workflow.hash ?? ''];
    expect(id).toBe(definitionIdOf(hash));
    for (const tenant of [one, two]) {
      expect(await tenant.query('SELECT id, hash FROM cloacina_workflow_definition')).toEqual([
        { id, hash },
      ]);
    }
  });
});
