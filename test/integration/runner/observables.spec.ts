import { getMaxListeners } from 'node:events';
import { expect, test } from '@jest/globals';
import { concat, defer, EMPTY, NEVER, Observable, of, throwError } from 'rxjs';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

let subscribed = 0;
let unsubscribed = 0;

@Workflow({ name: 'observed' })
class Observed {
  @Task()
  values() {
    return concat(of({ price: 1 }), of({ price: 2 }));
  }

  @Task({ dependsOn: ['values'] })
  later(_context: TaskContext) {
    return Promise.resolve(of({ later: true }));
  }

  @Task()
  empty() {
    return EMPTY;
  }

  @Task({ transactional: true })
  transactional(context: TaskContext) {
    return defer(async () => ({
      inside: await context.manager.query<unknown[]>('SELECT 1 AS one'),
    }));
  }

  @Task({ retry: { maxAttempts: 1 } })
  failing() {
    return throwError(() => new Error('declined'));
  }
}

@Workflow({ name: 'endless' })
class Endless {
  @Task()
  endless() {
    return new Observable((subscriber) => {
      subscribed++;
      const inner = NEVER.subscribe(subscriber);
      return () => {
        unsubscribed++;
        inner.unsubscribe();
      };
    });
  }
}

@Workflow({ name: 'listening' })
class Listening {
  @Task()
  listen({ signal }: TaskContext) {
    return { limit: String(getMaxListeners(signal)) };
  }
}

test('a returned Observable is waited for, and its last value is what the task returned', async () => {
  const { runner } = await openTenant([Observed, Endless]);
  const ended = await runner.execute(Observed, {}, { settled: true });
  expect(ended).toMatchObject({
    status: 'Failed',
    context: { price: 2, later: true, inside: [{ one: 1 }] },
  });
  expect(Object.fromEntries(ended.tasks.map(({ name, status }) => [name, status]))).toEqual({
    values: 'Completed',
    later: 'Completed',
    empty: 'Completed',
    transactional: 'Completed',
    failing: 'Failed',
  });
  expect(ended.tasks.find(({ name }) => name === 'failing')?.error?.message).toBe('declined');

  const { id } = await runner.start(Endless, {});
  await waitFor(() => subscribed === 1);
  await runner.cancel(id);
  await waitFor(() => unsubscribed === 1);
});

test('many listeners on the signal of a task are no leak', async () => {
  const { runner } = await openTenant([Listening]);
  // Beyond which Node warns of a leak.
  expect(await runner.execute(Listening, {})).toMatchObject({ context: { limit: 'Infinity' } });
});
