import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { RunningClock } from '../../../lib/testing/running-clock.js';
import { MOVED_CLOCK, MovedClocks } from '../../support/database-clock.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { waitFor } from '../../support/wait-for.js';

// PostgreSQL and a process on it, whose clocks the tests move on: hours of work in the time that the statements take.

const HOUR_MS = 3_600_000;

const retried = defineWorkflow('retried')
  .task('only', { retry: { maxAttempts: 2, delay: '1h', jitter: false } }, ({ attempt }) => {
    if (attempt === 1) throw new Error('not yet');
    return { attempt };
  })
  .build();
const plain = defineWorkflow('plain')
  .task('only', () => ({ done: true }))
  .build();
let isThere = false;
const deferred = defineWorkflow('deferred')
  .task('only', (context) => context.deferUntil(() => isThere, { every: '1d' }))
  .build();
const limited = defineWorkflow('limited', { timeout: '2h' })
  .task('only', (context) => context.deferUntil(() => false, { every: '30d' }))
  .build();
/** Handlers of `endless` that have begun. */
let handlers = 0;
const endless = defineWorkflow('endless')
  .task('only', { timeout: '3h', retry: { maxAttempts: 1 } }, ({ signal }) => {
    handlers++;
    return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  })
  .build();

const processClock = new RunningClock();
let clocks: MovedClocks;
let tenant: OpenTenant;
let client: pg.Client;
beforeAll(async () => {
  const databaseUrl = await scratchDatabase();
  client = new pg.Client(databaseUrl);
  await client.connect();
  clocks = await MovedClocks.install(client, processClock);
  tenant = await openTenant([retried, plain, deferred, limited, endless], {
    databaseUrl,
    clocks: { process: processClock, database: MOVED_CLOCK },
  });
});
afterAll(() => client.end());

/** The execution's only task waits until a time, or looks for its condition again then. */
async function untilItWaits(id: string, reason: 'time' | 'condition' = 'time'): Promise<void> {
  await waitFor(async () => (await onlyTask(id))?.waitingFor?.reason === reason);
}

async function onlyTask(id: string) {
  const execution = await tenant.runner.get(id);
  return execution?.tasks[0];
}

describe('A process and a database whose clocks a test moves', () => {
  it('make the next attempt after an hour', async () => {
    const { id } = await tenant.runner.start(retried);
    await untilItWaits(id);
    await clocks.advance(HOUR_MS);
    const { tasks } = await tenant.runner.handle(id).result();
    expect(tasks[0]).toMatchObject({ status: 'Completed', attempt: 2 });
    const [first, second] = tasks[0]!.attempts;
    expect(second!.startedAt.getTime() - first!.completedAt.getTime()).toBeGreaterThan(HOUR_MS - 1);
  });

  it('begin a start that was put off for a week', async () => {
    const { id } = await tenant.runner.start(plain, {}, { delay: '7d' });
    await clocks.advance(6 * 24 * HOUR_MS);
    expect(await onlyTask(id)).toMatchObject({ status: 'Ready', waitingFor: { reason: 'time' } });
    await clocks.advance(24 * HOUR_MS);
    expect(await tenant.runner.handle(id).result()).toMatchObject({ status: 'Completed' });
  });

  it('look for a condition once a day', async () => {
    const { id } = await tenant.runner.start(deferred);
    await untilItWaits(id, 'condition');
    isThere = true;
    await clocks.advance(24 * HOUR_MS);
    expect(await tenant.runner.handle(id).result()).toMatchObject({ status: 'Completed' });
  });

  it('end an execution whose workflow timeout is over', async () => {
    const { id } = await tenant.runner.start(limited);
    await untilItWaits(id, 'condition');
    await clocks.advance(2 * HOUR_MS);
    expect(await tenant.runner.handle(id).result({ settled: true })).toMatchObject({
      status: 'Failed',
      error: { name: 'WorkflowTimeoutError' },
    });
  });

  it('end an attempt that takes too long', async () => {
    const { id } = await tenant.runner.start(endless);
    await waitFor(() => handlers > 0);
    await clocks.advance(3 * HOUR_MS);
    expect(await tenant.runner.handle(id).result({ settled: true })).toMatchObject({
      status: 'Failed',
      error: { name: 'TaskTimeoutError' },
    });
  });
});
