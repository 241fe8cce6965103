import type { OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

/** Cancels what is left of a test, and waits until no task runs: no handler of a test begins in the next one. */
export async function endOfTasks(tenant: OpenTenant): Promise<void> {
  await tenant.runner.cancelMany({ status: ['Pending', 'Running'] });
  await waitFor(
    async () =>
      (await tenant.query(`SELECT FROM cloacina_task_execution WHERE status = 'Running'`))
        .length === 0,
    { what: 'the end of all tasks' },
  );
}
