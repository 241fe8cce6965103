import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { ArchivedExecution } from '../../../lib/runner/archive.js';
import { KEEP_ALL } from '../../../lib/workflow/retention.js';
import { openTenant, sharedTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const inTenant = sharedTenant();
const AT_ONCE = { ...KEEP_ALL, completedMs: 0 };

const work = defineWorkflow('work')
  .task('one', async (context) => ({ two: await context.step('half', () => 2) }))
  .build();
const child = defineWorkflow('child')
  .task('one', () => ({}))
  .build();
const parent = defineWorkflow('parent')
  .task('start', async (context) => {
    const { id } = await context.start(child, {}, { delay: '1h', onParentEnd: 'abandon' });
    return { child: id };
  })
  .build();

describe('delete', () => {
  it(
    'deletes an ended execution, and says why it deletes no other',
    inTenant((serve) => {
      serve(work);
      return async ({ runner }) => {
        const { id } = await runner.execute(work, {});
        await runner.delete(id.toUpperCase());
        expect(await runner.get(id)).toBeNull();
        const unknown = { code: 'UNKNOWN_EXECUTION' };
        await expect(runner.delete(id)).rejects.toMatchObject(unknown);
        await expect(runner.delete('17')).rejects.toMatchObject(unknown);
        await expect(runner.delete(17 as never)).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
        });
        const open = await runner.start(work, {}, { delay: '1h' });
        await expect(runner.delete(open.id)).rejects.toMatchObject({
          code: 'INVALID_TRANSITION',
          from: 'Pending',
          action: 'delete',
          message: expect.stringContaining('cancel it first'),
        });
        await open.cancel();
        await runner.delete(open.id);
      };
    }),
  );

  it(
    'deletes a tree from its top, when all of it has ended',
    inTenant((serve) => {
      serve(parent);
      serve(child);
      return async ({ runner }) => {
        const { id, context } = await runner.execute(parent, {});
        const childId = (context as { child: string }).child;
        await expect(runner.delete(id)).rejects.toMatchObject({
          code: 'INVALID_TRANSITION',
          message: expect.stringContaining(`Execution ${childId} of its tree has not ended`),
        });
        await runner.cancel(childId);
        await expect(runner.delete(childId)).rejects.toMatchObject({
          message: expect.stringContaining(`the top of its tree, ${id}`),
        });
        await runner.delete(id);
        expect(await runner.get([id, childId])).toEqual([null, null]);
      };
    }),
  );
});

describe('legalHold', () => {
  it(
    'keeps an execution from each deletion until it is released, and shows in its history',
    inTenant((serve) => {
      const held = serve(
        defineWorkflow('held')
          .task('one', () => ({}))
          .build(),
      );
      return async ({ runner }) => {
        const { id } = await runner.execute(held, {});
        await runner.legalHold(id, { reason: 'case 4711' });
        await runner.legalHold(id);
        await expect(runner.delete(id)).rejects.toMatchObject({
          code: 'INVALID_TRANSITION',
          message: expect.stringContaining('releaseLegalHold()'),
        });
        expect(await runner.deleteMany({ workflow: held })).toEqual({ matched: 1, changed: 0 });
        await runner.releaseLegalHold(id);
        const types = (await runner.history(id))!.filter(({ type }) => type.includes('legalHold'));
        expect(types).toEqual([
          { type: 'execution.legalHold', at: expect.any(Date), reason: 'case 4711' },
          { type: 'execution.legalHoldReleased', at: expect.any(Date) },
        ]);
        await runner.delete(id);
        await expect(runner.legalHold(id)).rejects.toMatchObject({ code: 'UNKNOWN_EXECUTION' });
        await expect(runner.legalHold(id, { reason: 5 as never })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
        });
      };
    }),
  );
});

describe('retention', () => {
  it('archives executions in full and deletes them, keeps their keys, and tells of it', async () => {
    const schema = freshSchema();
    const before = await openTenant([work], { schema });
    const { runner } = before;
    expect(await runner.retentionState()).toBeNull();
    const done = await runner.execute(work, { n: 1 }, { tags: { customer: '7' } });
    const keyed = await runner.start(work, {}, { idempotencyKey: 'the key' });
    await keyed.result();
    const held = await runner.execute(work, {});
    await runner.legalHold(held.id);
    const archived: ArchivedExecution[] = [];
    const later = await openTenant([work], {
      schema,
      leaseDurationMs: 1_000,
      retention: { rule: AT_ONCE, keysMs: 86_400_000 },
      archive: (executions, { tenant, runner: own }) => {
        expect([tenant, own.tenant]).toEqual([schema, schema]);
        archived.push(...executions);
      },
    });
    await waitFor(async () => (await runner.get(done.id)) === null);
    await later.engine.retention.whenIdle();
    // That of the key waits for the next lap.
    expect(archived.map(({ id }) => id)).toEqual([done.id]);
    expect(archived[0]).toMatchObject({
      status: 'Completed',
      context: { n: 1, two: 2 },
      tags: { customer: '7' },
      tasks: [{ name: 'one', steps: [{ name: 'half', result: 2 }] }],
    });
    expect(archived[0]?.history.map(({ type }) => type)).toContain('execution.ended');
    expect(await runner.retentionState()).toEqual({ deleted: 1, lastRunAt: expect.any(Date) });

    await before.query("UPDATE cloacina_kept_key SET kept_at = kept_at - interval '2 minutes'");
    await later.close();
    const last = await openTenant([work], {
      schema,
      leaseDurationMs: 1_000,
      retention: { rule: AT_ONCE, keysMs: 86_400_000 },
    });
    await waitFor(async () => (await runner.get(keyed.id)) === null);
    const again = await last.runner.start(work, {}, { idempotencyKey: 'the key' });
    expect([again.id, again.created]).toEqual([keyed.id, false]);
    await expect(again.result()).rejects.toMatchObject({ code: 'UNKNOWN_EXECUTION' });
    const many = await last.runner.startMany(work, [{ n: 1 }, { n: 2 }], {
      key: ({ n }) => (n === 1 ? 'the key' : 'another key'),
    });
    expect(many).toMatchObject({ created: 1, existing: 1, ids: [keyed.id, expect.anything()] });
    const within = await last.dataSource.transaction((manager) =>
      last.runner.start(work, {}, { idempotencyKey: 'the key', manager }),
    );
    expect(within.created).toBe(false);
    expect(await runner.get(held.id)).not.toBeNull();
  });
});
