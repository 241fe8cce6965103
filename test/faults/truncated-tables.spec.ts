import { expect, test } from '@jest/globals';
import { defineEvent } from '../../lib/discovery/message-definitions.js';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { Schedule } from '../../lib/discovery/schedule.decorator.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import { Workflow } from '../../lib/discovery/workflow.decorator.js';
import { gate, type Gate } from '../support/gate.js';
import { type OpenTenant, openTenant } from '../support/open-tenant.js';
import { freshSchema } from '../support/postgres.js';
import { repeatDeadlocks } from '../support/repeat-deadlocks.js';
import { waitFor } from '../support/wait-for.js';
import { report } from './workload/scene.js';

/** An application lives on while its tables are emptied, or its schema is dropped and made again by another process. */

const BOUND = { timeout: '15s' } as const;
/** Longer than any test: nothing here is owed to a lease that runs out. */
const LEASE_MS = 300_000;
const SLOTS = 3;

/** Where a handler tells that it runs, and where it waits. */
interface Turnstile {
  readonly reached: Gate;
  readonly exit: Gate;
}
const turnstiles = new Map<string, Turnstile>();
const quick = defineWorkflow('quick')
  .task('first', {}, () => ({ one: 1 }))
  .task('second', { dependsOn: ['first'] }, () => ({ two: 2 }))
  .build();
const held = defineWorkflow('held')
  .task('wait', {}, async (context: TaskContext) => {
    const turnstile = turnstiles.get(String(context.data['gate']));
    turnstile?.reached.open();
    await turnstile?.exit.passed;
    return { done: true };
  })
  .task('after', { dependsOn: ['wait'] }, () => ({ after: true }))
  .build();

function open(schema: string): Promise<OpenTenant> {
  return openTenant([quick, held], {
    schema,
    leaseDurationMs: LEASE_MS,
    maxConcurrentTasks: SLOTS,
  });
}

/** Starts one whose handler runs until the gate of that name opens. */
async function hold(tenant: OpenTenant, name: string): Promise<string> {
  const turnstile = { reached: gate(), exit: gate() };
  turnstiles.set(name, turnstile);
  const { id } = await tenant.runner.start(held, { gate: name });
  await turnstile.reached.passed;
  return id;
}

function letGo(name: string): void {
  turnstiles.get(name)?.exit.open();
}

const completes = async (tenant: OpenTenant): Promise<void> => {
  const { status } = await tenant.runner.execute(quick, {}, BOUND);
  expect(status).toBe('Completed');
};

/** No task runs under an owner that has no lease: it would be lost with its process for ever. */
async function leasesHold(tenant: OpenTenant): Promise<void> {
  await waitFor(
    async () => {
      const rows = await tenant.query(
        `SELECT FROM cloacina_task_execution t WHERE status = 'Running'
         AND NOT EXISTS (SELECT FROM cloacina_runner_lease l WHERE l.instance_id = t.owner)`,
      );
      return rows.length === 0;
    },
    { deadline: 20_000, what: 'the leases of what runs' },
  );
}

async function truncate(tenant: OpenTenant, which = `<> 'cloacina_migrations'`): Promise<void> {
  const [row] = await tenant.query<{ tables: string }>(
    `SELECT string_agg(quote_ident(tablename), ', ') AS tables FROM pg_tables
     WHERE schemaname = current_schema() AND tablename ${which}`,
  );
  await repeatDeadlocks(() => tenant.query(`TRUNCATE ${row?.tables} RESTART IDENTITY CASCADE`));
}

const LOSSES: [string, (tenant: OpenTenant) => Promise<OpenTenant[]>][] = [
  [
    'are truncated',
    async (tenant) => {
      await truncate(tenant);
      return [tenant];
    },
  ],
  [
    'are truncated, with their history',
    async (tenant) => {
      await truncate(tenant, 'IS NOT NULL');
      return [tenant];
    },
  ],
  [
    'are dropped with their schema, which another process makes again',
    async (tenant) => {
      await repeatDeadlocks(() => tenant.query(`DROP SCHEMA ${tenant.schema} CASCADE`));
      return [tenant, await open(tenant.schema)];
    },
  ],
];

test.each(LOSSES)(
  'An idle application works on at once when its tables %s, again and again',
  async (what, lose) => {
    const tenant = await open(freshSchema());
    let all = [tenant];
    const tookMs: number[] = [];
    for (let round = 0; round < 4; round++) {
      for (const one of all) await completes(one);
      all = await lose(tenant);
      const begun = performance.now();
      await completes(tenant);
      tookMs.push(Math.round(performance.now() - begun));
      // What is stored anew, after the start that missed it, is enough for a process that comes later.
      await waitFor(
        async () => {
          const definitions = await tenant.query<{ name: string }>(
            `SELECT DISTINCT d.name FROM cloacina_workflow_execution x
             JOIN cloacina_workflow_definition d ON d.id = x.definition_id AND d.name = x.workflow`,
          );
          return definitions.length === 1 && definitions[0]?.name === 'quick';
        },
        { deadline: 20_000, what: 'the definition' },
      );
    }
    report(`tables ${what}`, { rounds: tookMs.length, tookMs });
  },
  120_000,
);

test.each(LOSSES)(
  'An application whose handlers run works on when its tables %s, and they change nothing',
  async (_, lose) => {
    const tenant = await open(freshSchema());
    // A slot is left, and what is lost holds the others.
    const lost = [await hold(tenant, 'lost 1'), await hold(tenant, 'lost 2')];
    const all = await lose(tenant);
    for (const one of all) await completes(one);
    // With a lease, though the process had one before.
    const after = await hold(tenant, 'after');
    await leasesHold(tenant);
    letGo('lost 1');
    letGo('lost 2');
    // All slots are free again.
    const more = [await hold(tenant, 'more 1'), await hold(tenant, 'more 2')];
    await leasesHold(tenant);
    for (const name of ['after', 'more 1', 'more 2']) letGo(name);
    for (const id of [after, ...more]) {
      expect((await tenant.runner.handle(id).result(BOUND)).status).toBe('Completed');
    }
    for (const id of lost) expect(await tenant.runner.get(id)).toBeNull();
    const unfinished = await tenant.query(
      `SELECT execution_id FROM cloacina_task_execution WHERE status NOT IN ('Completed')`,
    );
    expect(unfinished).toEqual([]);
  },
  120_000,
);

@Schedule({ name: 'often', every: '1h' })
@Workflow({ name: 'scheduled' })
class Scheduled {
  @Task()
  only(): void {
    // It does not fire within the test.
  }
}

test.each(LOSSES)(
  'The schedules of the code are there again after a start when the tables %s',
  async (_, lose) => {
    const tenant = await openTenant([quick, Scheduled], {
      schema: freshSchema(),
      leaseDurationMs: LEASE_MS,
    });
    const hasSchedule = async (): Promise<boolean> =>
      (await tenant.runner.schedules.get('often')) !== null;
    await waitFor(hasSchedule, { what: 'the schedule of the boot' });
    // From then on it knows the schema by its oid.
    await waitFor(() => tenant.engine.self.seenDue !== undefined, { what: 'the first sweep' });
    await lose(tenant);
    expect(await hasSchedule()).toBe(false);
    await completes(tenant);
    await waitFor(hasSchedule, { what: 'the schedule that is stored again' });
  },
  120_000,
);

const Ordered = defineEvent<object>('ordered');
const started = defineWorkflow('started')
  .startOn(Ordered, {})
  .task('only', () => undefined)
  .build();

test.each(LOSSES)(
  'An event starts an execution, and so do the next ones, when the tables %s before it is emitted',
  async (_, lose) => {
    const tenant = await openTenant([quick, started], {
      schema: freshSchema(),
      leaseDurationMs: LEASE_MS,
    });
    await lose(tenant);
    for (const key of ['a', 'b', 'c']) await tenant.runner.emit(Ordered, key, {});
    await waitFor(
      async () => {
        const { items } = await tenant.runner.list({ workflow: 'started', status: 'Completed' });
        return items.length === 3;
      },
      { what: 'the executions' },
    );
  },
  120_000,
);

test('An execution that another application started before its tables were truncated is not resurrected', async () => {
  const schema = freshSchema();
  const [one, two] = [await open(schema), await open(schema)];
  const lost = await hold(one, 'gone');
  await truncate(one);
  // The identifiers begin anew: whatever gets the old ones is another thing.
  await completes(two);
  letGo('gone');
  await completes(one);
  const rows = await two.query('SELECT FROM cloacina_task_execution WHERE execution_id = $1', [
    lost,
  ]);
  expect(rows).toEqual([]);
  expect(await two.query(`SELECT FROM cloacina_recovery_event`)).toEqual([]);
}, 60_000);
