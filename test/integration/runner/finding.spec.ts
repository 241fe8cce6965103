import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { ExecutionFilter, WorkflowEvent } from '../../../lib/index.js';
import { gate } from '../../support/gate.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const quick = defineWorkflow('quick')
  .task('only', () => undefined)
  .build();
const other = defineWorkflow('other')
  .task('only', () => undefined)
  .build();
const retrying = defineWorkflow('retrying')
  .task('before', () => undefined)
  .task('fails', { dependsOn: ['before'], retry: { delay: '1h', jitter: false } }, () => {
    throw new Error('no');
  })
  .build();
const deferring = defineWorkflow('deferring')
  .task('waits', async (context) => {
    await context.deferUntil(() => false, { every: '1h' });
  })
  .build();
const held = { begun: gate(), free: gate() };
const holding = defineWorkflow('holding')
  .task('runs', async () => {
    held.begun.open();
    await held.free.passed;
  })
  .task('later', { dependsOn: ['runs'] }, () => undefined)
  .build();

let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant([quick, other, retrying, deferring, holding]);
});

async function found(filter: ExecutionFilter): Promise<string[]> {
  return (await tenant.runner.list(filter)).items.map(({ id }) => id).sort();
}

describe('tags', () => {
  it('are found, counted and shown, however the execution was started', async () => {
    const { runner } = tenant;
    const events: WorkflowEvent[] = [];
    const subscription = runner.events$.subscribe((event) => events.push(event));
    const tags = { customer: '17', region: 'eu' };
    const plain = await runner.start(quick, {}, { tags });
    const keyed = await runner.start(other, {}, { tags, idempotencyKey: 'tagged' });
    const inTransaction = await tenant.dataSource.transaction((manager) =>
      runner.start(quick, {}, { tags: { customer: '17' }, manager }),
    );
    await runner.start(quick, {}, { tags: { customer: '18' } });
    await runner.start(quick);
    const ids = [plain.id, keyed.id, inTransaction.id].sort();

    expect(await found({ tags: { customer: '17' } })).toEqual(ids);
    expect(await found({ tags, workflow: 'other' })).toEqual([keyed.id]);
    expect(await found({ tags: { customer: '1' } })).toEqual([]);
    expect((await found({ tags: {} })).length).toBeGreaterThan(3);
    await Promise.all([plain, keyed, inTransaction].map((handle) => handle.result()));
    const counts = await runner.counts({ tags });
    expect(counts).toMatchObject([
      { workflow: 'other', total: 1, byStatus: { Completed: 1 } },
      { workflow: 'quick', total: 1 },
    ]);
    expect(await runner.get(keyed.id)).toMatchObject({ tags, idempotencyKey: 'tagged' });
    const { items } = await runner.list({ tags, workflow: 'other' });
    expect(items).toMatchObject([{ tags, idempotencyKey: 'tagged' }]);
    await waitFor(() => ids.every((id) => started(events, id) !== undefined));
    expect(started(events, plain.id)).toMatchObject({ tags });
    expect((await runner.history(plain.id))?.[0]).toMatchObject({ tags });
    subscription.unsubscribe();
  });

  it('are those of the first start of a key', async () => {
    const key = { idempotencyKey: 'tagged once' };
    const first = await tenant.runner.start(quick, {}, { ...key, tags: { n: '1' } });
    const second = await tenant.runner.start(quick, {}, { ...key, tags: { n: '2' } });
    expect(second).toMatchObject({ id: first.id, created: false });
    expect(await tenant.runner.get(first.id)).toMatchObject({ tags: { n: '1' } });
  });

  it.each<[string, object]>([
    ['a number', { customer: 17 }],
    ['what is left out', { customer: undefined }],
  ])('of %s are refused, by a start and by a filter', async (_, tags) => {
    const refusal = { code: 'INVALID_ARGUMENT', argument: 'tags' };
    const given = { tags: tags as Record<string, string> };
    await expect(tenant.runner.start(quick, {}, given)).rejects.toMatchObject(refusal);
    await expect(tenant.runner.list(given)).rejects.toMatchObject(refusal);
    await expect(tenant.runner.counts(given)).rejects.toMatchObject(refusal);
  });
});

function started(events: readonly WorkflowEvent[], id: string): WorkflowEvent | undefined {
  return events.find(({ type, executionId }) => type === 'execution.started' && executionId === id);
}

describe('an idempotency key', () => {
  it('finds the execution of each workflow that has it', async () => {
    const options = { idempotencyKey: 'found' };
    const one = await tenant.runner.start(quick, {}, options);
    const two = await tenant.runner.start(other, {}, options);
    expect(await found(options)).toEqual([one.id, two.id].sort());
    expect(await found({ ...options, workflow: 'quick' })).toEqual([one.id]);
    expect(await found({ idempotencyKey: 'of none' })).toEqual([]);
    await expect(tenant.runner.list({ idempotencyKey: '' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'idempotencyKey',
    });
  });
});

describe('many ids at once', () => {
  it('get() and statuses() read those that exist', async () => {
    const { runner } = tenant;
    const { id } = await runner.execute(quick);
    const { id: later } = await runner.start(other, {}, { delay: '1h' });
    const none = '01890000-0000-7000-8000-000000000000';
    const ids = [later, none, id.toUpperCase(), 'no id', later];
    const read = await runner.get(ids);
    expect(read.map((execution) => execution?.id)).toEqual([
      later,
      undefined,
      id,
      undefined,
      later,
    ]);
    expect(read[0]?.tasks).toHaveLength(1);
    expect(await runner.statuses(ids)).toEqual(
      new Map([
        [later, 'Pending'],
        [id.toUpperCase(), 'Completed'],
      ]),
    );
    expect(await runner.get([])).toEqual([]);
    expect(await runner.statuses([])).toEqual(new Map());
    await runner.cancel(later);
  });

  it('are bounded', async () => {
    const { runner } = tenant;
    const refusal = { code: 'INVALID_ARGUMENT', argument: 'ids' };
    await expect(runner.get(Array<string>(201).fill('x'))).rejects.toMatchObject(refusal);
    await expect(runner.statuses(Array<string>(1_001).fill('x'))).rejects.toMatchObject(refusal);
    await expect(runner.statuses('x' as unknown as string[])).rejects.toMatchObject(refusal);
  });
});

describe('an execution that waits says so in list() and get()', () => {
  async function waitsFor(id: string, workflow: string): Promise<object | undefined> {
    const { items } = await tenant.runner.list({ workflow });
    const listed = items.find((item) => item.id === id)?.waitingFor;
    expect((await tenant.runner.get(id))?.waitingFor).toEqual(listed);
    return listed;
  }

  it('for its time, and when it is paused for that', async () => {
    const handle = await tenant.runner.start(quick, {}, { runAt: new Date('2100-01-01') });
    expect(await waitsFor(handle.id, 'quick')).toEqual({
      reason: 'time',
      task: 'only',
      detail: 'It is due at 2100-01-01T00:00:00.000Z.',
      until: new Date('2100-01-01'),
    });
    await handle.pause({ reason: 'lunch' });
    expect(await waitsFor(handle.id, 'quick')).toEqual({
      reason: 'paused',
      detail: 'The execution is paused.',
    });
    await handle.cancel();
    expect(await waitsFor(handle.id, 'quick')).toBeUndefined();
  });

  it('for the next attempt of a task', async () => {
    const { id } = await tenant.runner.start(retrying);
    await waitFor(async () => (await tenant.runner.get(id))?.waitingFor !== undefined);
    expect(await waitsFor(id, 'retrying')).toMatchObject({
      reason: 'time',
      task: 'fails',
      detail: expect.stringContaining('Its next attempt is due at'),
    });
    await tenant.runner.cancel(id);
  });

  it('for a condition', async () => {
    const { id } = await tenant.runner.start(deferring);
    await waitFor(async () => (await tenant.runner.get(id))?.waitingFor !== undefined);
    expect(await waitsFor(id, 'deferring')).toMatchObject({
      reason: 'condition',
      task: 'waits',
      until: expect.any(Date),
    });
    await tenant.runner.cancel(id);
  });

  it('for nothing, while one of its tasks runs', async () => {
    const handle = await tenant.runner.start(holding);
    await held.begun.passed;
    expect(await waitsFor(handle.id, 'holding')).toBeUndefined();
    held.free.open();
    await handle.result();
  });
});
