import { afterEach, expect, test } from '@jest/globals';
import { databaseUrl, freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { STATEMENTS, type Failpoint } from './workload/failpoints.js';
import type { Entry } from './workload/handler.js';
import { seedOfRun } from './workload/random.js';
import { Workload } from './workload/workload.js';

const seed = seedOfRun();
const workloads: Workload[] = [];
afterEach(() => {
  for (const workload of workloads.splice(0)) workload.remove();
});

function open(): Workload {
  const workload = new Workload({ url: databaseUrl(), schema: freshSchema(), seed, workflows: 8 });
  workloads.push(workload);
  return workload;
}

const POINTS: [string, Failpoint][] = [
  ['before a start is sent', { at: 'before', statement: STATEMENTS.start }],
  ['while a start is committed', { at: 'sent', statement: STATEMENTS.start }],
  ['after a start, before its caller knows', { at: 'after', statement: STATEMENTS.start }],
  ['before a claim commits', { at: 'before', statement: STATEMENTS.claim }],
  ['while a claim is committed', { at: 'sent', statement: STATEMENTS.claim }],
  ['after a claim, before the handler', { at: 'after', statement: STATEMENTS.claim }],
  ['in a handler', { at: 'begin' }],
  ['after a handler, before its outcome', { at: 'end' }],
  ['before an outcome is sent', { at: 'before', statement: STATEMENTS.complete }],
  ['while an outcome is committed', { at: 'sent', statement: STATEMENTS.complete }],
  ['right after the commit of an outcome', { at: 'after', statement: STATEMENTS.complete }],
  ['before a retry or a deferral is sent', { at: 'before', statement: STATEMENTS.reschedule }],
  ['while a retry or a deferral is committed', { at: 'sent', statement: STATEMENTS.reschedule }],
  ['after a retry or a deferral', { at: 'after', statement: STATEMENTS.reschedule }],
  ['before the commit of a transactional task', { at: 'before', statement: STATEMENTS.commit }],
  ['while a transactional task commits', { at: 'sent', statement: STATEMENTS.commit }],
  ['after the commit of a transactional task', { at: 'after', statement: STATEMENTS.commit }],
];

test.each(POINTS)('A process that is killed %s loses and doubles nothing', async (_, failpoint) => {
  const workload = open();
  const victim = await workload.worker();
  const survivor = await workload.worker();
  await workload.arm(victim, failpoint);
  workload.start(survivor, 2);
  workload.start(victim, 2);
  expect(await victim.exit).toMatchObject({ signal: 'SIGKILL' });
  await workload.started(survivor, 1);
  expect(await workload.settle(30_000)).toBeGreaterThan(0);
  expect(workload.accepted().size).toBeGreaterThanOrEqual(8);
  expect(await workload.violations()).toEqual([]);
});

const IN_RECOVERY: [string, Failpoint][] = [
  ['before it ends the lease', { at: 'before', statement: STATEMENTS.endLease }],
  ['between the lease and the tasks', { at: 'after', statement: STATEMENTS.endLease }],
  ['while it takes the tasks', { at: 'sent', statement: STATEMENTS.takeOrphans }],
  ['after it took them', { at: 'after', statement: STATEMENTS.takeOrphans }],
];

test.each(IN_RECOVERY)('A recovery that is killed %s is made by the next', async (_, failpoint) => {
  const workload = open();
  const victim = await workload.worker();
  const recoverer = await workload.worker();
  await workload.arm(recoverer, failpoint);
  await workload.arm(victim, { at: 'end' });
  workload.start(victim, 2);
  expect(await victim.exit).toMatchObject({ signal: 'SIGKILL' });
  expect(await recoverer.exit).toMatchObject({ signal: 'SIGKILL' });
  const last = await workload.worker();
  await workload.started(last, 1);
  expect(await workload.settle(30_000)).toBeGreaterThan(0);
  expect(await workload.violations()).toEqual([]);
});

test('A process that is told to end under load gives back what it has, at no cost of an attempt', async () => {
  const workload = new Workload({
    url: databaseUrl(),
    schema: freshSchema(),
    seed,
    workflows: 6,
    handlerMs: 50,
  });
  workloads.push(workload);
  const leaving = await workload.worker();
  const survivor = await workload.worker();
  for (let round = 0; round < 3; round++) {
    workload.start(leaving, 5);
    workload.start(survivor, 5);
  }
  const byLeaving = (what: Entry['what']): number =>
    workload.entries().filter((entry) => entry.by === 'worker 1' && entry.what === what).length;
  await waitFor(() => byLeaving('begun') > 20, { deadline: 30_000, what: 'its handlers' });
  expect(await leaving.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  const rows = await workload.query(
    `SELECT FROM cloacina_task_execution WHERE owner IS NOT NULL AND owner NOT IN (
       SELECT instance_id FROM cloacina_runner_lease)`,
  );
  expect(rows).toEqual([]);
  expect(await workload.settle(60_000)).toBeGreaterThan(0);
  expect(await workload.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
  // Those that fail by plan do so once.
  expect(await workload.query('SELECT FROM cloacina_task_execution WHERE attempt > 1')).toEqual([]);
  expect(await workload.violations()).toEqual([]);
});
