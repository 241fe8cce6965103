import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { enginePartOf, openTenants } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const TENANTS = 5;
/** Of each tenant: more than it has slots, so that tasks wait in queues too. */
const EXECUTIONS = 200;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Objects that must not outlive the flood, by what they are. */
const seen = new Map<string, WeakRef<object>[]>();
function watch(what: string, object: unknown): void {
  const all = seen.get(what) ?? [];
  seen.set(what, all);
  all.push(new WeakRef(object as object));
}
const alive = (): Record<string, number> =>
  Object.fromEntries(
    [...seen].map(([what, all]) => [what, all.filter((one) => one.deref() !== undefined).length]),
  );

const flooded = defineWorkflow('flooded')
  .task('first', (context: TaskContext) => {
    watchTask(context);
    return { first: { large: 'x'.repeat(100) } };
  })
  .task('second', { dependsOn: ['first'] }, (context) => watchTask(context))
  .build();

function watchTask(context: TaskContext): void {
  const claim = Reflect.get(context, 'claim') as { cache: object };
  watch('contexts of tasks', context);
  watch('claims', claim);
  watch('caches', claim.cache);
}

describe('A flood that is over', () => {
  it('leaves nothing in memory of what it consisted of', async () => {
    const tenants = await openTenants(
      [flooded],
      Array.from({ length: TENANTS }, () => ({})),
    );
    let ended = 0;
    for (const { runner } of tenants)
      runner.events$.subscribe(({ type }) => {
        if (type === 'execution.ended') ended++;
      });
    await Promise.all(
      tenants.flatMap(({ runner }) =>
        Array.from({ length: EXECUTIONS }, async (_, no) => {
          const input = { no };
          watch('inputs', input);
          watch('handles', await runner.start(flooded, input));
        }),
      ),
    );
    await waitFor(() => ended === TENANTS * EXECUTIONS);
    for (const tenant of tenants) {
      const claims = enginePartOf(tenant, 'claims');
      const queue = enginePartOf(tenant, 'queue');
      const waiters = enginePartOf(tenant, 'waiters');
      await waitFor(() => !tenant.engine.isBusy && !queue.hasBacklog);
      const caches = Reflect.get(claims, 'caches') as ReadonlyMap<string, object>;
      expect([claims.size, caches.size, waiters.size]).toEqual([0, 0, 0]);
      expect([queue.waiting.length, queue.running, queue.reserved]).toEqual([0, 0, 0]);
    }
    const counts = Object.fromEntries([...seen].map(([what, all]) => [what, all.length]));
    const all = TENANTS * EXECUTIONS;
    expect(counts).toEqual({
      inputs: all,
      handles: all,
      'contexts of tasks': 2 * all,
      claims: 2 * all,
      caches: 2 * all,
    });
    const none = Object.fromEntries([...seen.keys()].map((what) => [what, 0]));
    // A timer of this turn of the event loop, or the latest statement of a connection, may still refer to a few.
    await waitFor(async () => {
      collect();
      await new Promise<void>((resolve) => systemClock.immediate(resolve));
      expect(alive()).toEqual(none);
      return true;
    });
  });
});
