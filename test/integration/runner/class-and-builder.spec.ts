import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { currentTask } from '../../../lib/engine/execution/current-task.js';
import { openTenant } from '../../support/open-tenant.js';

interface Order {
  orderId: number;
  paid: boolean;
  parcel: string;
}

@Workflow({ name: 'order', version: '2.1' })
class OrderWorkflow {
  private readonly prefix = 'P';

  @Task()
  charge(context: TaskContext<Order>) {
    return { paid: context.require('orderId') > 0 };
  }

  @Task({ dependsOn: ['charge'] })
  async ship(context: TaskContext<Order>) {
    await Promise.resolve();
    context.set('parcel', `${this.prefix}${context.get('orderId')}`);
  }
}

@Workflow({ name: 'order-with-thanks' })
class OrderWithThanks extends OrderWorkflow {
  @Task({ name: 'say thanks', dependsOn: ['ship'] })
  thank(context: TaskContext<Order & { thanks: string }>) {
    return { thanks: `for ${context.get('parcel')}` };
  }
}

const sums = defineWorkflow('sums')
  .task('left', (context) => ({ left: Number(context.get('start')) + 1 }))
  .task('right', async (context) => Promise.resolve({ right: Number(context.get('start')) + 2 }))
  .task('sum', { dependsOn: ['left', 'right'] }, ({ data }) => ({
    sum: Number(data['left']) + Number(data['right']),
  }))
  .build();

describe('A workflow', () => {
  it('is a class whose methods run on its instance, one after the other', async () => {
    const { runner } = await openTenant([OrderWorkflow]);
    const result = await runner.execute(OrderWorkflow, { orderId: 17 });
    expect(result).toMatchObject({
      workflow: 'order',
      version: '2.1',
      status: 'Completed',
      context: { orderId: 17, paid: true, parcel: 'P17' },
      tasks: [
        { name: 'charge', status: 'Completed', attempt: 1, recoveryAttempts: 0 },
        { name: 'ship', status: 'Completed', attempt: 1, recoveryAttempts: 0 },
      ],
    });
    const [charge, ship] = result.tasks;
    expect(charge?.completedAt?.getTime()).toBeLessThanOrEqual(ship?.startedAt?.getTime() ?? 0);
    expect(result.completedAt?.getTime()).toBeGreaterThanOrEqual(result.createdAt.getTime());
    expect(result.orThrow()).toBe(result);
    expect(JSON.parse(JSON.stringify(result))).not.toHaveProperty('orThrow');
  });

  it('is a subclass with the tasks that it inherits, under their own names', async () => {
    const { runner } = await openTenant([OrderWithThanks]);
    const result = await runner.execute(OrderWithThanks, { orderId: 3 });
    expect(result.tasks.map(({ name }) => name)).toEqual(['charge', 'ship', 'say thanks']);
    expect(result.context).toEqual({ orderId: 3, paid: true, parcel: 'P3', thanks: 'for P3' });
  });

  it('is what the builder built, and is started by definition or by name', async () => {
    const { runner } = await openTenant([sums]);
    const byDefinition = await runner.execute(sums, { start: 10 });
    const byName = await runner.execute('sums', { start: 20 });
    expect(byDefinition.context).toEqual({ start: 10, left: 11, right: 12, sum: 23 });
    expect(byName.context).toMatchObject({ sum: 43 });
  });

  it('tells each task who it is, also through currentTask()', async () => {
    const seen: Record<string, unknown>[] = [];
    const identity = defineWorkflow('identity')
      .task('only', { retry: { maxAttempts: 4 } }, async (context) => {
        await Promise.resolve();
        seen.push({
          executionId: context.executionId,
          taskName: context.taskName,
          tenant: context.tenant,
          attempt: context.attempt,
          maxAttempts: context.maxAttempts,
          recoveryAttempt: context.recoveryAttempt,
          idempotencyKey: context.idempotencyKey,
          isCurrent: currentTask() === context,
        });
      })
      .build();
    const { runner, schema } = await openTenant([identity], { tenant: 'acme' });
    const { id } = await runner.execute(identity);
    expect(seen).toEqual([
      {
        executionId: id,
        taskName: 'only',
        tenant: 'acme',
        attempt: 1,
        maxAttempts: 4,
        recoveryAttempt: 0,
        idempotencyKey: `${id}:only`,
        isCurrent: true,
      },
    ]);
    expect(runner).toMatchObject({ tenant: 'acme', schema });
    expect(currentTask()).toBeUndefined();
  });

  it('reads copies: what a handler does to a value stores nothing unless it sets it', async () => {
    const copies = defineWorkflow('copies')
      .task('change', (context) => {
        const list = context.get('list') as number[];
        list.push(99);
        expect(context.get('list')).toEqual([1]);
        expect(Object.isFrozen(context.data)).toBe(true);
        expect(context.has('missing')).toBe(false);
        expect(context.get('missing')).toBeUndefined();
        context.set('missing', null);
        expect(context.has('missing')).toBe(true);
        expect(context.data).toEqual({ list: [1], missing: null });
        expect(() => context.require('missing')).toThrow(
          expect.objectContaining({ code: 'INVALID_CONTEXT' }),
        );
      })
      .build();
    const { runner } = await openTenant([copies]);
    const result = await runner.execute(copies, { list: [1] });
    expect(result.orThrow().context).toEqual({ list: [1], missing: null });
  });
});
