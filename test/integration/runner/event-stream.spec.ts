import { beforeAll, expect, it } from '@jest/globals';
import { defineWorkflow, NonRetryableError, type WorkflowEvent } from '../../../lib/index.js';
import { listClaims } from '../../support/list-claims.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { gate, type Gate } from '../../support/gate.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

/*
 * The stream is held against the tables: of every execution, task, attempt and recovery that a schema tells of, some
 * process has told once, and of nothing else.
 */

let stands: { begun: Gate; free: Gate }[] = [];
let healed = false;

const quick = defineWorkflow('quick')
  .task('first', () => ({ first: 1 }))
  .task('second', { dependsOn: ['first'] }, () => undefined)
  .build();
const flaky = defineWorkflow('flaky')
  .task('flaky', { retry: { maxAttempts: 2, delay: 1, jitter: false } }, (context) => {
    if (context.attempt === 1) throw new Error('once');
  })
  .build();
const failing = defineWorkflow('failing')
  .task('fails', () => {
    if (!healed) throw new NonRetryableError('until it is healed');
  })
  .task('after', { dependsOn: ['fails'] }, () => undefined)
  .build();
const deferring = defineWorkflow('deferring')
  .task('waits', async (context) => {
    await context.deferUntil(() => healed, { every: 1 });
  })
  .build();
const late = defineWorkflow('late', { timeout: '30ms' })
  .task(
    'late',
    ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)),
  )
  .build();
const standing = defineWorkflow('standing')
  .task('stands', async () => {
    const stand = { begun: gate(), free: gate() };
    stands.push(stand);
    stand.begun.open();
    await stand.free.passed;
  })
  .build();
const ALL = [quick, flaky, failing, deferring, late, standing];

const events: WorkflowEvent[] = [];
const tellers: OpenTenant[] = [];
let one: OpenTenant;
let two: OpenTenant;

beforeAll(async () => {
  const schema = freshSchema();
  const options = { schema, maxRecoveryAttempts: 1 };
  [one, two] = [await openTenant(ALL, options), await openTenant(ALL, options)];
  for (const teller of [one, two]) {
    teller.runner.events$.subscribe((event) => {
      events.push(event);
      tellers.push(teller);
    });
  }
});

const ended = (id: string): Promise<unknown> =>
  one.runner.handle(id).result({ timeout: '60s', settled: true });

/** The process that runs it seems lost to the other. */
async function lose(id: string): Promise<void> {
  await one.query(
    `UPDATE cloacina_task_execution SET owner = gen_random_uuid() WHERE execution_id = $1 AND status = 'Running'`,
    [id],
  );
  await one.query(listClaims());
  await one.recovery.run();
}

async function begun(count: number): Promise<void> {
  await waitFor(() => stands.length >= count);
}

it('tells everything that the tables tell of', async () => {
  const { runner, dataSource } = one;
  // Starts: at once, with a key, delayed, in a transaction that commits and in one that does not.
  await ended((await runner.start(quick)).id);
  await ended((await two.runner.start(quick, {}, { idempotencyKey: 'a' })).id);
  await runner.start(quick, {}, { idempotencyKey: 'a' });
  const delayed = await runner.start(quick, {}, { delay: '1h' });
  const committed = await dataSource.transaction((manager) => runner.start(quick, {}, { manager }));
  inTransaction.add(committed.id);
  await ended(committed.id);
  await dataSource
    .transaction(async (manager) => {
      await runner.start(quick, {}, { manager });
      throw new Error('rolled back');
    })
    .catch(() => undefined);

  // Cancels, of what waits and of what runs; pauses; retries; deferrals; a timeout.
  await delayed.cancel({ reason: 'not wanted' });
  const cancelled = await runner.start(standing);
  await begun(1);
  await cancelled.cancel();
  const paused = await runner.start(quick, {}, { delay: '1h' });
  await paused.pause();
  await paused.pause();
  await paused.resume();
  await paused.cancel();
  await ended((await runner.start(flaky)).id);
  const deferred = await runner.start(deferring);
  const failed = await runner.start(failing);
  await ended(failed.id);
  await waitFor(() => events.some(({ type }) => type === 'task.deferred'));
  healed = true;
  await runner.retry(failed.id);
  await ended(failed.id);
  await ended(deferred.id);
  await ended((await runner.start(late)).id);

  // One loss is a recovery, the second one too many.
  const lost = await runner.start(standing);
  await begun(2);
  await lose(lost.id);
  await begun(3);
  await lose(lost.id);
  await ended(lost.id);
  for (const { free } of stands) free.open();

  const told = (): unknown => tell(events);
  await waitFor(async () => JSON.stringify(told()) === JSON.stringify(await history()));
  expect(told()).toEqual(await history());
  expect(events.every((event) => event.tenant === one.name && event.workflow !== '')).toBe(true);
  expect(orderProblems()).toEqual([]);
  const retrying = events.find(({ type }) => type === 'task.retrying');
  expect(retrying).toMatchObject({ task: 'flaky', attempt: 1, error: { message: 'once' } });
});

const TOLD = new Set(['task.ended', 'task.retrying', 'task.recovered', 'task.abandoned']);

/** Sorted lines, so that a difference can be read. */
function tell(all: readonly WorkflowEvent[]): string[] {
  return all
    .filter(({ type }) => type.startsWith('execution.') || TOLD.has(type))
    .map((event) => {
      const status = 'status' in event ? ` ${event.status}` : '';
      const task = 'task' in event ? ` ${event.task}` : '';
      return `${event.executionId}${task} ${event.type}${status}`;
    })
    .sort();
}

/** The same from the tables. Cancelled tasks are told of by the end of their execution. */
async function history(): Promise<string[]> {
  const names = await taskNames();
  const nameOf = (id: string, no: number): string => names.get(id)?.[no] ?? String(no);
  const lines: string[] = [];
  const executions = await one.query<{ id: string; status: string; generation: number }>(
    'SELECT id, status, generation FROM cloacina_workflow_execution',
  );
  for (const { id, status, generation } of executions) {
    lines.push(`${id} execution.started`);
    lines.push(`${id} execution.ended ${status}`);
    // Each retry follows an end, which here was a failure.
    for (let i = 0; i < generation; i++) lines.push(`${id} execution.ended Failed`);
  }
  const rows = await one.query<{ execution_id: string; task_no: number | null; kind: string }>(
    'SELECT execution_id, task_no, kind FROM cloacina_execution_event',
  );
  for (const { execution_id: id, task_no: no, kind } of rows) {
    if (kind === 'paused' || kind === 'resumed') lines.push(`${id} execution.${kind}`);
    if (kind === 'executionRetried') lines.push(`${id} execution.retried`);
    if (kind === 'retried') lines.push(`${id} ${nameOf(id, no ?? -1)} task.retrying`);
    if (kind === 'taskFailed') lines.push(`${id} ${nameOf(id, no ?? -1)} task.ended Failed`);
    if (kind === 'taskSkipped') lines.push(`${id} ${nameOf(id, no ?? -1)} task.ended Skipped`);
  }
  const tasks = await one.query<{ execution_id: string; task_no: number }>(
    `SELECT execution_id, task_no FROM cloacina_task_execution WHERE status = 'Completed'`,
  );
  for (const { execution_id: id, task_no: no } of tasks) {
    lines.push(`${id} ${nameOf(id, no)} task.ended Completed`);
  }
  const recoveries = await one.query<{ execution_id: string; task_no: number; kind: string }>(
    'SELECT execution_id, task_no, kind FROM cloacina_recovery_event',
  );
  for (const { execution_id: id, task_no: no, kind } of recoveries) {
    lines.push(`${id} ${nameOf(id, no)} task.${kind}`);
  }
  return lines.sort();
}

async function taskNames(): Promise<Map<string, string[]>> {
  const { items } = await one.runner.list({ limit: 500 });
  const executions = await Promise.all(items.map(({ id }) => one.runner.get(id)));
  return new Map(
    executions.flatMap((each) =>
      each === null ? [] : [[each.id, each.tasks.map(({ name }) => name)]],
    ),
  );
}

/**
 * The process that tells of a start tells of it before what it tells of the tasks. Other processes may be earlier: they
 * can claim what the start left Ready before its reply arrives.
 */
function orderProblems(): string[] {
  const isTold = new Set<string>();
  const tellerOf = new Map(
    events.flatMap(({ type, executionId }, i) =>
      type === 'execution.started' ? [[executionId, tellers[i]]] : [],
    ),
  );
  return events.flatMap(({ type, executionId }, i) => {
    if (type === 'execution.started') isTold.add(executionId);
    // The commit of a caller's transaction is seen a moment later.
    const isEarly = type.startsWith('task.') && !isTold.has(executionId);
    return isEarly && tellers[i] === tellerOf.get(executionId) && !inTransaction.has(executionId)
      ? [`${executionId} ${type}`]
      : [];
  });
}
const inTransaction = new Set<string>();
