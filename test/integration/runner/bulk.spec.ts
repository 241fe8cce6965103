import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import type { BulkHandle, BulkResult } from '../../../lib/runner/bulk/bulk-options.js';
import { gate } from '../../support/gate.js';
import { type OpenTenant, openTenant, sharedTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

let names = 0;

/** A workflow whose executions wait for a signal for ever. */
const Go = defineSignal<{ n: number }>('go');

function waiting(name = `waiting-${++names}`): WorkflowDefinition {
  return defineWorkflow(name)
    .task('wait', async (context) => ({ went: await context.waitFor(Go) }))
    .build();
}

function failing(name = `failing-${++names}`, until = { fails: true }): WorkflowDefinition {
  return defineWorkflow(name)
    .task('try', { retry: { maxAttempts: 1 } }, () => {
      if (until.fails) throw new Error('no');
    })
    .build();
}

function done(name = `done-${++names}`): WorkflowDefinition {
  return defineWorkflow(name)
    .task('one', () => ({}))
    .build();
}

function inputs(count: number): { n: number }[] {
  return Array.from({ length: count }, (_, n) => ({ n }));
}

async function started(tenant: OpenTenant, of: WorkflowDefinition, count: number) {
  const { ids } = await tenant.runner.startMany(of, inputs(count));
  return ids;
}

async function untilAll(tenant: OpenTenant, of: WorkflowDefinition, status: string, count: number) {
  await waitFor(async () => {
    const [counts] = await tenant.runner.counts({ workflow: of });
    return counts?.byStatus[status as 'Failed'] === count;
  });
}

async function statusesOf({ runner }: OpenTenant, ids: readonly string[]): Promise<string[]> {
  const found = await runner.statuses(ids);
  return ids.map((id) => found.get(id) ?? 'none');
}

const inTenant = sharedTenant();

describe('Bulk calls', () => {
  it(
    'cancel what matches, count it before, and leave the others',
    inTenant((serve) => {
      const of = serve(waiting());
      const others = serve(waiting());
      return async (tenant) => {
        const ids = await started(tenant, of, 3);
        const [other] = await started(tenant, others, 1);
        const filter = { workflow: of };
        const dry = await tenant.runner.cancelMany(filter, { dryRun: true });
        expect(dry).toEqual({ matched: 3, changed: 0 });
        const handle = tenant.runner.handle(ids[0]!);
        const ended = handle.result({ settled: true });
        const result = await tenant.runner.cancelMany(filter, { reason: 'wrong' });
        expect(result).toEqual({ matched: 3, changed: 3 });
        expect(await ended).toMatchObject({ status: 'Cancelled', reason: 'wrong' });
        expect(await statusesOf(tenant, [...ids, other!])).toEqual([
          'Cancelled',
          'Cancelled',
          'Cancelled',
          expect.stringMatching(/Pending|Running/),
        ]);
        expect(await tenant.runner.cancelMany(filter)).toEqual({ matched: 0, changed: 0 });
      };
    }),
  );

  it(
    'abort the signals of the handlers that they cancel',
    inTenant((serve) => {
      const begun = gate();
      const stopped = gate();
      const of = serve(
        defineWorkflow(`running-${++names}`)
          .task('run', async ({ signal }) => {
            signal.addEventListener('abort', () => stopped.open(), { once: true });
            begun.open();
            await stopped.passed;
          })
          .build(),
      );
      return async (tenant) => {
        await started(tenant, of, 1);
        await begun.passed;
        await tenant.runner.cancelMany({ workflow: of });
        await stopped.passed;
      };
    }),
  );

  it(
    'pause and resume',
    inTenant((serve) => {
      const of = serve(waiting());
      return async (tenant) => {
        const ids = await started(tenant, of, 2);
        const filter = { workflow: of };
        expect(await tenant.runner.pauseMany(filter)).toMatchObject({ changed: 2 });
        expect(await statusesOf(tenant, ids)).toEqual(['Paused', 'Paused']);
        const result = await tenant.runner.signalMany(filter, Go, { n: 1 });
        expect(result).toEqual({ matched: 2, changed: 2 });
        expect(await tenant.runner.resumeMany(filter)).toMatchObject({ changed: 2 });
        for (const id of ids) {
          const { context } = await tenant.runner.handle(id).result();
          expect(context).toMatchObject({ went: { n: 1 } });
        }
      };
    }),
  );

  it(
    'send a signal once for each key',
    inTenant((serve) => {
      const of = serve(waiting());
      return async (tenant) => {
        const ids = await started(tenant, of, 2);
        const filter = { workflow: of, waitingFor: Go.name };
        await waitFor(async () => {
          const { matched } = await tenant.runner.signalMany(
            filter,
            Go,
            { n: 0 },
            { dryRun: true },
          );
          return matched === 2;
        });
        await tenant.runner.pauseMany({ workflow: of });
        for (let n = 0; n < 2; n++) {
          const all = { workflow: of };
          await tenant.runner.signalMany(all, Go, { n }, { idempotencyKey: 'once' });
        }
        const rows = await tenant.query(
          'SELECT payload FROM cloacina_signal WHERE execution_id = ANY ($1)',
          [ids],
        );
        expect(rows).toEqual([{ payload: { n: 0 } }, { payload: { n: 0 } }]);
      };
    }),
  );

  it(
    'retry what has failed, and what was cancelled only if it is asked for',
    inTenant((serve) => {
      const until = { fails: true };
      const of = serve(failing(undefined, until));
      return async (tenant) => {
        const ids = await started(tenant, of, 5);
        await untilAll(tenant, of, 'Failed', 5);
        const late = await tenant.runner.start(of, {}, { delay: '1h' });
        await late.cancel();
        until.fails = false;
        const result = await tenant.runner.retryMany({ workflow: of });
        expect(result).toEqual({ matched: 5, changed: 5 });
        for (const id of ids) await tenant.runner.handle(id).result();
        expect(await late.status()).toBe('Cancelled');
        const again = await tenant.runner.retryMany({ workflow: of, status: 'Cancelled' });
        expect(again).toEqual({ matched: 1, changed: 1 });
        expect(await late.status()).toBe('Pending');
      };
    }),
  );

  it(
    'retry the items of maps that did not complete',
    inTenant((serve) => {
      const until = { fails: true };
      const ran: number[] = [];
      const of = serve(
        defineWorkflow(`mapping-${++names}`)
          .map('each', { items: () => [0, 1, 2], retry: { maxAttempts: 1 } }, ({ item }) => {
            ran.push(item);
            if (until.fails && item === 1) throw new Error('no');
          })
          .build(),
      );
      return async (tenant) => {
        const ids = await started(tenant, of, 3);
        await untilAll(tenant, of, 'Failed', 3);
        until.fails = false;
        ran.length = 0;
        const result = await tenant.runner.retryMany({ workflow: of });
        expect(result).toEqual({ matched: 3, changed: 3 });
        for (const id of ids) (await tenant.runner.handle(id).result()).orThrow();
        expect(ran).toEqual([1, 1, 1]);
      };
    }),
  );

  it(
    'delete what has ended',
    inTenant((serve) => {
      const of = serve(done());
      return async (tenant) => {
        const ids = await started(tenant, of, 3);
        await untilAll(tenant, of, 'Completed', 3);
        const kept = await tenant.runner.start(of, {}, { delay: '1h' });
        const result = await tenant.runner.deleteMany({ workflow: of });
        expect(result).toEqual({ matched: 3, changed: 3 });
        expect(await statusesOf(tenant, [...ids, kept.id])).toEqual([
          'none',
          'none',
          'none',
          'Pending',
        ]);
        await expect(tenant.runner.handle(ids[0]!).status()).rejects.toMatchObject({
          code: 'UNKNOWN_EXECUTION',
        });
        expect(await tenant.runner.get(ids[0]!)).toBeNull();
      };
    }),
  );

  it(
    'change the executions of the given ids only, if they may',
    inTenant((serve) => {
      const until = { fails: true };
      const of = serve(failing(undefined, until));
      const others = serve(done());
      return async (tenant) => {
        const { runner } = tenant;
        const ids = await started(tenant, of, 4);
        await untilAll(tenant, of, 'Failed', 4);
        const [other] = await started(tenant, others, 1);
        await untilAll(tenant, others, 'Completed', 1);
        const [first, second, third, fourth] = ids;
        // That of the other workflow has not failed, and an id that is given twice counts once.
        const given = { ids: [first!, second!, first!, other!] };
        expect(await runner.retryMany(given, { dryRun: true })).toMatchObject({ matched: 2 });
        until.fails = false;
        expect(await runner.retryMany(given)).toEqual({ matched: 2, changed: 2 });
        for (const id of [first!, second!]) (await runner.handle(id).result()).orThrow();
        expect(await statusesOf(tenant, ids)).toEqual([
          'Completed',
          'Completed',
          'Failed',
          'Failed',
        ]);
        const both = { ids: [first!, third!], workflow: of };
        expect(await runner.deleteMany(both)).toEqual({ matched: 2, changed: 2 });
        expect(await statusesOf(tenant, ids)).toEqual(['none', 'Completed', 'none', 'Failed']);
        expect(await runner.deleteMany({ ids: [other!], workflow: of })).toMatchObject({
          matched: 0,
        });
        expect(await runner.deleteMany({ ids: [] })).toEqual({ matched: 0, changed: 0 });
        const later = await runner.deleteMany({ ids: [fourth!] }, { background: true });
        await later.result();
        expect(await statusesOf(tenant, [...ids, other!])).toEqual([
          'none',
          'Completed',
          'none',
          'none',
          'Completed',
        ]);
      };
    }),
  );

  it('refuse a filter that may mean more than it says', async () => {
    const { runner } = await openTenant([done()]);
    const refused = async (call: Promise<unknown>, option: string): Promise<void> => {
      await expect(call).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining(option),
      });
    };
    await refused(runner.cancelMany({}), 'no condition');
    await refused(runner.deleteMany({ workflow: undefined }), 'is undefined');
    await refused(runner.cancelMany({ workflow: 'a', tags: undefined }), 'is undefined');
    await refused(runner.cancelMany({ all: true, workflow: 'a' }), 'cannot be combined');
    await refused(runner.cancelMany({ all: false as never }), 'must be true');
    await refused(runner.cancelMany(null as never), 'filter');
    await refused(runner.cancelMany({ status: 'Completed' }), 'must be one of');
    await refused(runner.deleteMany({ status: ['Failed', 'Running'] }), 'must be one of');
    await refused(runner.deleteMany({ ids: undefined }), 'is undefined');
    await refused(runner.deleteMany({ ids: ['17'] }), 'ids');
    const id = '0190a000-0000-7000-8000-000000000000';
    await refused(runner.retryMany({ ids: [id], parent: id }), 'cannot be combined');
    await refused(runner.cancelMany({ limit: 5 } as never), 'limit');
    await refused(runner.cancelMany({ all: true }, { dryrun: true } as never), 'dryRun');
    await refused(runner.cancelMany({ all: true }, { background: 1 as never }), 'background');
    await refused(
      runner.cancelMany({ all: true }, { dryRun: true, background: true }),
      'only counts',
    );
    await refused(runner.retryMany({ all: true }, { steps: 'some' as never }), 'steps');
    await refused(runner.signalMany({ all: true }, {} as never, 1), 'signal');
  });
});

describe('Bulk calls in the background', () => {
  it('go page by page, and leave out what starts during it and themselves', async () => {
    const of = waiting();
    const tenant = await openTenant([of]);
    const { runner } = tenant;
    await started(tenant, of, 2_500);
    const operation = await runner.cancelMany({ all: true }, { reason: 'all' });
    if (!('id' in operation)) throw new Error('More than a thousand go to the background.');
    const late = await runner.start(of, { n: 0 });
    const { context, workflow } = await operation.result();
    expect(workflow).toBe('cloacina.bulk');
    expect(context).toMatchObject({ matched: 2_500, changed: 2_500 });
    const [counts] = await runner.counts({ workflow: of });
    expect(counts?.byStatus).toMatchObject({ Cancelled: 2_500 });
    expect(await late.status()).not.toBe('Cancelled');
    const details = await runner.get(operation.id);
    expect(details?.tasks[0]?.steps?.map(({ name }) => name)).toEqual([
      'count',
      'page#1',
      'page#2',
      'page#3',
    ]);
    expect(runner.workflows().map(({ name }) => name)).toEqual([of.name]);
    expect((await runner.list({ workflow: 'cloacina.bulk' })).items).toHaveLength(1);
  });

  it('are done by the call up to a limit, if it is told so', async () => {
    const of = waiting();
    const tenant = await openTenant([of], { maxConcurrentTasks: 0 });
    await started(tenant, of, 1_001);
    const call = tenant.runner.pauseMany({ workflow: of }, { background: false });
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const result: BulkResult = await tenant.runner.pauseMany(
      { workflow: of, createdAfter: new Date(Date.now() + 60_000) },
      { background: false },
    );
    expect(result).toEqual({ matched: 0, changed: 0 });
  });

  it('are stored in a tenant with the first of them, and go on in a process that has them not yet', async () => {
    const of = done();
    const schema = freshSchema();
    const client = await openTenant([of], { schema, maxConcurrentTasks: 0 });
    const worker = await openTenant([of], { schema });
    const stored = () =>
      client.query("SELECT name FROM cloacina_workflow_definition WHERE name = 'cloacina.bulk'");
    expect(await stored()).toEqual([]);
    const ids = await started(client, of, 2);
    await untilAll(worker, of, 'Completed', 2);
    const operation: BulkHandle = await client.runner.deleteMany(
      {
        workflow: of,
        status: ['Completed', 'Failed'],
        createdBefore: new Date(Date.now() + 1_000),
      },
      { background: true },
    );
    expect(await stored()).toHaveLength(1);
    expect((await operation.result()).context).toMatchObject({ matched: 2, changed: 2 });
    expect(await statusesOf(client, ids)).toEqual(['none', 'none']);
  });

  it('can be cancelled, paused and resumed as any execution', async () => {
    const of = waiting();
    const tenant = await openTenant([of], { claiming: false });
    await started(tenant, of, 3);
    const operation = await tenant.runner.cancelMany({ workflow: of }, { background: true });
    await operation.pause();
    await tenant.host.startClaiming();
    await operation.cancel({ reason: 'changed my mind' });
    await expect(operation.result()).rejects.toMatchObject({ code: 'WORKFLOW_CANCELLED' });
    const [counts] = await tenant.runner.counts({ workflow: of });
    expect(counts?.byStatus.Cancelled).toBe(0);
  });

  it.each(['retry', 'signal', 'resume'] as const)('%s too', async (kind) => {
    const until = { fails: true };
    const of = kind === 'retry' ? failing(undefined, until) : waiting();
    const tenant = await openTenant([of]);
    const ids = await started(tenant, of, 3);
    if (kind === 'retry') await untilAll(tenant, of, 'Failed', 3);
    if (kind === 'resume') await tenant.runner.pauseMany({ workflow: of });
    until.fails = false;
    const filter = { workflow: of };
    const options = { background: true } as const;
    const operation: BulkHandle =
      kind === 'retry'
        ? await tenant.runner.retryMany(filter, options)
        : kind === 'signal'
          ? await tenant.runner.signalMany(filter, Go, { n: 7 }, options)
          : await tenant.runner.resumeMany(filter, options);
    expect((await operation.result()).context).toMatchObject({ matched: 3, changed: 3 });
    if (kind === 'resume') await tenant.runner.signalMany(filter, Go, { n: 7 });
    for (const id of ids) {
      expect(await tenant.runner.handle(id).result()).toMatchObject({ status: 'Completed' });
    }
  });
});
