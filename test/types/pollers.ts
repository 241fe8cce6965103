// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { Poller } from '../../lib/discovery/poller.decorator.js';
import type { PollerContext, PollerResult } from '../../lib/discovery/poller-types.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import { Workflow } from '../../lib/discovery/workflow.decorator.js';

@Workflow({ name: 'import' })
class Import {
  @Task()
  run(_context: TaskContext<{ file: string; size?: number }>) {}
}
const built = defineWorkflow<{ n: number }>('built')
  .task('run', () => undefined)
  .build();

export class Inbox {
  @Poller({ name: 'a', every: '30s', workflow: Import })
  async withCursor({ cursor, manager, tenant, signal }: PollerContext<{ page: number }>) {
    await manager.query('SELECT 1', [tenant, signal.aborted]);
    const page: number | undefined = cursor?.page;
    return { starts: [{ key: 'a', input: { file: 'a', size: 1 } }], cursor: { page: page ?? 1 } };
  }

  @Poller({ name: 'b', every: 30_000, workflow: Import, retry: { maxAttempts: 5 }, timeout: '1m' })
  nothing() {}

  @Poller({ name: 'c', every: '1h', workflow: Import, tenants: (tenant) => tenant !== 'demo' })
  async maybe({ cursor }: PollerContext): Promise<PollerResult<typeof Import> | undefined> {
    return cursor === undefined ? undefined : { cursor };
  }

  @Poller({ name: 'd', every: '1h', workflow: built })
  definition() {
    return { starts: [{ key: 'a', input: { n: 1 }, delay: '1h', tags: { of: 'd' } }] };
  }

  @Poller({ name: 'e', every: '1h', workflow: 'any' })
  byName() {
    return { starts: [{ key: 'a', input: { anything: 1 } }] };
  }

  // @ts-expect-error TS1241 the input is of another type
  @Poller({ name: 'f', every: '1h', workflow: Import })
  otherInput() {
    return { starts: [{ key: 'a', input: { file: 7 } }] };
  }

  // @ts-expect-error TS1241 a start needs a key
  @Poller({ name: 'g', every: '1h', workflow: Import })
  noKey() {
    return { starts: [{ input: { file: 'a' } }] };
  }

  // @ts-expect-error TS1241 a list is not a result
  @Poller({ name: 'h', every: '1h', workflow: Import })
  list() {
    return [{ key: 'a', input: { file: 'a' } }];
  }

  // @ts-expect-error TS1241 a task's context is another one
  @Poller({ name: 'i', every: '1h', workflow: built })
  taskContext(_context: TaskContext) {}

  // @ts-expect-error TS2345 it needs a workflow
  @Poller({ name: 'j', every: '1h' })
  noWorkflow() {}

  // @ts-expect-error TS2322 of another type
  @Poller({ name: 'k', every: true, workflow: Import })
  everyTrue() {}

  // @ts-expect-error TS2353 an unknown option
  @Poller({ name: 'l', every: '1h', workflow: Import, cron: '@daily' })
  cron() {}
}
