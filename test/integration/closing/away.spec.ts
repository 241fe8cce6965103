import { afterEach, expect, test } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { Timer } from '../../../lib/runtime/clock.js';
import { SERVER_CLOCK } from '../../../lib/store/postgres/statements/sql-clock.js';
import { RunningClock } from '../../../lib/testing/running-clock.js';
import { gate } from '../../support/gate.js';
import { openTenant, processEngineOf } from '../../support/open-tenant.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';

/**
 * After `stop()`, time stands still: the pauses between two looks end, and what takes a second or more by the clock never
 * does. So a close that waits for such a time hangs on any machine, and one that does not ends on any machine.
 */
class StoppedClock extends RunningClock {
  private stoppedAt: number | undefined;

  stop(): void {
    this.stoppedAt = super.now();
  }

  goOn(): void {
    this.stoppedAt = undefined;
  }

  override now(): number {
    return this.stoppedAt ?? super.now();
  }

  override timer(callback: () => void, ms: number): Timer {
    if (this.stoppedAt !== undefined && ms >= 1_000) return { cancel: () => undefined };
    return super.timer(callback, ms);
  }
}

const clock = new StoppedClock();
// After a failure, it would keep the run from its end.
afterEach(() => clock.goOn());

test('a close while the database is away waits for it no longer than shutdownTimeout', async () => {
  const begun = gate();
  const over = gate();
  const held = defineWorkflow('held')
    .task('held', async () => {
      begun.open();
      await over.passed;
    })
    .build();
  const proxy = await TcpProxy.start();
  const tenant = await openTenant([held], {
    databaseUrl: proxy.url,
    shutdownTimeoutMs: 0,
    clocks: { process: clock, database: SERVER_CLOCK },
  });
  const { id } = await tenant.runner.start(held, {});
  await begun.passed;
  await proxy.refuse();
  await waitFor(() => processEngineOf(tenant).session === undefined);
  // There is an outcome to record, a lease to release, and pools that would like to connect. For a database that answers
  // they have graces of five seconds and two, one after the other, and then those of the pools.
  over.open();
  clock.stop();
  await tenant.close();
  const rows = await tenant.query<{ status: string }>(
    'SELECT status FROM cloacina_task_execution WHERE execution_id = $1',
    [id],
  );
  // Its lease runs out, and another process recovers it.
  expect(rows).toEqual([{ status: 'Running' }]);
});
