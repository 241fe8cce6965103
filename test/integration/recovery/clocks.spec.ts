import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import { openTenant, queryIn, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { cases } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

const DAY_MS = 86_400_000;
const LEASE_MS = 3_000;
const RealDate = Date;

/** This process's clock is so far from the server's and the other processes'. */
function shiftClock(ms: number): void {
  class ShiftedDate extends RealDate {
    constructor(...given: unknown[]) {
      super(...((given.length === 0 ? [RealDate.now() + ms] : given) as [number]));
    }

    static override now(): number {
      return RealDate.now() + ms;
    }
  }
  globalThis.Date = ShiftedDate as DateConstructor;
}

let conditions = 0;
const flaky = defineWorkflow('flaky')
  .task('only', { retry: { delay: 300, jitter: false } }, ({ attempt }) => {
    if (attempt === 1) throw new Error('once, on purpose');
  })
  .build();
const deferring = defineWorkflow('deferring')
  .task('only', (context) => context.deferUntil(() => conditions++ > 0, { every: 300 }))
  .build();
const impatient = defineWorkflow('impatient')
  .task('only', { retry: { maxAttempts: 1 } }, (context) =>
    context.deferUntil(() => false, { every: 100, timeout: 400 }),
  )
  .build();
const plain = defineWorkflow('plain')
  .task('only', () => undefined)
  .build();
const timed = defineWorkflow('timed', { timeout: 400 })
  .task('only', { retry: { delay: '1h' } }, () => {
    throw new Error('on purpose');
  })
  .build();
const slow = defineWorkflow('slow')
  .task('only', { timeout: 300, retry: { maxAttempts: 1 } }, ({ signal }) => {
    return new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  })
  .build();

/** From when to when it took by the database's clock, in milliseconds. */
async function took({ query }: OpenTenant, id: string, from: string, to: string): Promise<number> {
  const [row] = await query<{ ms: number }>(
    `SELECT (extract(epoch FROM ${to} - ${from}) * 1000)::double precision AS ms
     FROM cloacina_workflow_execution x JOIN cloacina_task_execution t ON t.execution_id = x.id WHERE x.id = $1`,
    [id],
  );
  return row?.ms ?? NaN;
}

describe.each([
  ['ahead', DAY_MS],
  ['behind', -DAY_MS],
])('A process whose clock is a day %s', (_, shiftMs) => {
  beforeEach(() => {
    conditions = 0;
    shiftClock(shiftMs);
    expect(Math.round((Date.now() - RealDate.now()) / DAY_MS)).toBe(shiftMs / DAY_MS);
  });
  afterEach(() => {
    globalThis.Date = RealDate;
  });

  it('retries, defers, starts and times out when it is time by the database', async () => {
    const tenant = await openTenant([flaky, deferring, impatient, plain, timed, slow], {
      leaseDurationMs: LEASE_MS,
    });
    const { runner } = tenant;
    const [{ now } = { now: 0 }] = await tenant.query<{ now: number }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::double precision AS now',
    );
    const started = await Promise.all([
      runner.start(flaky),
      runner.start(deferring),
      runner.start(impatient),
      runner.start(plain, {}, { delay: 300 }),
      runner.start(plain, {}, { runAt: new Date(now + 1_000) }),
      runner.start(plain, {}, { runAt: new Date(now - DAY_MS / 2) }),
      runner.start(timed),
      runner.start(slow),
    ]);
    const results = await Promise.all(
      started.map((handle) => handle.result({ timeout: '60s', settled: true })),
    );
    expect(results.map(({ status }) => status === 'Completed')).toEqual([
      true,
      true,
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
    const [a, b, c, d, e, , g, h] = started.map(({ id }) => id);
    expect(results[2]?.tasks[0]?.error?.name).toBe('DeferralTimeoutError');
    expect(results[6]?.error?.name).toBe('WorkflowTimeoutError');
    expect(results[7]?.tasks[0]?.error?.name).toBe('TaskTimeoutError');
    expect(await took(tenant, a!, `(t.attempts -> 0 ->> 'completedAt')::timestamptz`, 't.started_at')).toBeGreaterThanOrEqual(299); // prettier-ignore
    expect(await took(tenant, b!, 'x.started_at', 't.started_at')).toBeGreaterThanOrEqual(299);
    expect(await took(tenant, c!, 'x.started_at', 't.completed_at')).toBeGreaterThanOrEqual(399);
    expect(await took(tenant, d!, 'x.created_at', 't.started_at')).toBeGreaterThanOrEqual(299);
    expect(await took(tenant, e!, `to_timestamp(${(now + 1_000) / 1_000})`, 't.started_at')).toBeGreaterThanOrEqual(0); // prettier-ignore
    expect(await took(tenant, g!, 'x.started_at', 'x.completed_at')).toBeGreaterThanOrEqual(399);
    expect(await took(tenant, h!, 'x.started_at', 'x.completed_at')).toBeGreaterThanOrEqual(290);
    expect(await illegalHistories(tenant.query)).toEqual([]);
  });

  // In `npm test` one of them with either clock.
  const isQuick = ([, byLock]: readonly [string, boolean]): boolean => byLock === shiftMs < 0;
  const signs = [
    ['its lock', true],
    ['its lease', false],
  ] as const;
  it.each(cases(signs, isQuick))(
    'takes nobody for lost who is not, and knows by %s who is',
    async (__, controlConnection) => {
      const schema = freshSchema();
      const workers = new Workers([schema], { leaseDurationMs: LEASE_MS, controlConnection });
      const victim = await workers.child();
      const ids = await victim.start(waits(2));
      await workers.begun(2);
      const [off] = await workers.here();
      await off!.runner.start('holding', { ...waits(1)[0] });
      await workers.begun(3);
      // For longer than a lease lasts, each renews its own, and neither takes the other's.
      await waitFor(async () => {
        const [row] = await queryIn<{ renewed: number }>(
          schema,
          `SELECT count(*)::integer AS renewed FROM cloacina_runner_lease
         WHERE expires_at > created_at + $1 * interval '1 ms'`,
          [2 * LEASE_MS],
        );
        return row?.renewed === 2;
      });
      const events = 'SELECT cause FROM cloacina_recovery_event';
      expect(await queryIn(schema, events)).toEqual([]);
      await victim.process.kill();
      await workers.begun(5);
      const cause = controlConnection ? 'lockGone' : 'leaseOver';
      expect(await queryIn(schema, events)).toEqual([{ cause }, { cause }]);
      workers.release();
      for (const id of ids) {
        expect((await off!.runner.handle(id).result()).status).toBe('Completed');
      }
      expect(await illegalHistories((sql) => queryIn(schema, sql))).toEqual([]);
    },
  );
});
