import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { type OpenTenant, openTenant, sharedTenant } from '../../support/open-tenant.js';
import { gate } from '../../support/gate.js';
import { sized } from '../../support/sizes.js';

interface Input {
  n: number;
  input?: object;
}

let names = 0;

function workflow(): WorkflowDefinition<Partial<Input>, Input> {
  return defineWorkflow<Input>(`many-${++names}`)
    .task('one', () => ({}))
    .build();
}

function inputs(count: number): Input[] {
  return Array.from({ length: count }, (_, n) => ({ n }));
}

async function numbersOf({ query }: OpenTenant, ids: readonly string[]): Promise<number[]> {
  const rows = await query<{ id: string; n: number }>(
    "SELECT id, (input ->> 'n')::integer AS n FROM cloacina_workflow_execution WHERE id = ANY ($1)",
    [ids],
  );
  const byId = new Map(rows.map(({ id, n }) => [id, n]));
  return ids.map((id) => byId.get(id) ?? -1);
}

async function countOf({ query }: OpenTenant, { name }: WorkflowDefinition): Promise<number> {
  const [row] = await query<{ n: string }>(
    'SELECT count(*) AS n FROM cloacina_workflow_execution WHERE workflow = $1',
    [name],
  );
  return Number(row?.n);
}

/** Far more than may be read ahead. */
const MANY = sized(20_000, 10_000);

// Slots for many, so that the executions run in few batches.
const inTenant = sharedTenant({ maxConcurrentTasks: 100 });
const numbers = (count: number): number[] => inputs(count).map(({ n }) => n);

describe('startMany', () => {
  it(
    'starts the executions of an array, and returns their ids in its order',
    inTenant((serve) => {
      const of = serve(workflow());
      return async (tenant) => {
        const progress: number[] = [];
        const { created, existing, ids } = await tenant.runner.startMany(of, inputs(5_000), {
          onProgress: (so) => progress.push(so.created),
        });
        expect([created, existing, ids.length]).toEqual([5_000, 0, 5_000]);
        expect(await numbersOf(tenant, ids)).toEqual(numbers(5_000));
        expect(progress.at(-1)).toBe(5_000);
        expect(progress.length).toBeGreaterThan(1);
        expect(await tenant.runner.handle(ids[4_999]!).result()).toMatchObject({
          status: 'Completed',
          context: { n: 4_999 },
        });
      };
    }),
  );

  it(
    'starts none of an empty iterable',
    inTenant((serve) => {
      const of = serve(workflow());
      return async ({ runner }) => {
        expect(await runner.startMany(of, [])).toEqual({ created: 0, existing: 0, ids: [] });
      };
    }),
  );

  it(
    'reads an iterable no faster than the database takes the executions',
    inTenant((serve) => {
      const of = serve(workflow());
      return async (tenant) => {
        let read = 0;
        let ahead = 0;
        let stored = 0;
        async function* source(): AsyncGenerator<Input> {
          for (; read < MANY; read++) {
            ahead = Math.max(ahead, read - stored);
            yield { n: read };
          }
        }
        const { created } = await tenant.runner.startMany(of, source(), {
          delay: '1h',
          onProgress: (so) => (stored = so.created),
        });
        expect(created).toBe(MANY);
        // Two statements under way, and a third that is full and waits.
        expect(ahead).toBeLessThanOrEqual(6_000);
      };
    }),
  );

  it(
    'finds by their keys those that an earlier call has started',
    inTenant((serve) => {
      const of = serve(workflow());
      return async (tenant) => {
        const key = ({ n }: Partial<Input>): string => `n ${n}`;
        const first = await tenant.runner.startMany(of, inputs(3), { key });
        const again = await tenant.runner.startMany(of, [...inputs(4), { n: 3 }], { key });
        expect(again).toMatchObject({ created: 1, existing: 4 });
        expect(again.ids.slice(0, 3)).toEqual(first.ids);
        expect(again.ids[4]).toBe(again.ids[3]);
      };
    }),
  );

  it(
    'takes options of the call, and of an item before them',
    inTenant((serve) => {
      const of = serve(workflow());
      return async (tenant) => {
        const own = { tags: { own: 'yes' }, priority: 7, idempotencyKey: 'own' };
        const { ids } = await tenant.runner.startMany(
          of,
          [{ n: 0 }, [{ n: 1 }, own], [{ n: 2, input: {} }]] as const,
          { tags: { all: 'yes' }, delay: '1h', key: ({ n }) => `key ${n}` },
        );
        const rows = await tenant.query(
          `SELECT tags, priority, idempotency_key AS key, run_at IS NOT NULL AS delayed
           FROM cloacina_workflow_execution WHERE id = ANY ($1) ORDER BY input ->> 'n'`,
          [ids],
        );
        expect(rows).toEqual([
          { tags: { all: 'yes' }, priority: 0, key: 'key 0', delayed: true },
          { tags: { own: 'yes' }, priority: 7, key: 'own', delayed: true },
          { tags: { all: 'yes' }, priority: 0, key: 'key 2', delayed: true },
        ]);
      };
    }),
  );

  it(
    'stops at an input that is not valid, and says how far it has come',
    inTenant((serve) => {
      const of = serve(workflow());
      return async (tenant) => {
        let closed = false;
        function* source(): Generator<Input> {
          try {
            for (const each of inputs(10_000)) {
              yield each.n === 7_000 ? { n: Number.NaN } : each;
            }
          } finally {
            closed = true;
          }
        }
        const call = tenant.runner.startMany(of, source(), { delay: '1h' });
        const error: unknown = await call.catch((reason: unknown) => reason);
        expect(error).toMatchObject({
          code: 'START_MANY',
          index: 7_000,
          created: 6_000,
          existing: 0,
          cause: { code: 'INVALID_CONTEXT' },
          message: expect.stringContaining('input 7000'),
        });
        expect(closed).toBe(true);
        expect(await countOf(tenant, of)).toBe(6_000);
      };
    }),
  );

  it(
    'ends when its signal aborts, or its onProgress or its source throws',
    inTenant((serve) => {
      const of = serve(workflow());
      return async ({ runner }) => {
        const stop = new AbortController();
        stop.abort(new Error('enough'));
        const failed = { code: 'START_MANY', index: 0, created: 0 };
        await expect(
          runner.startMany(of, inputs(3), { signal: stop.signal }),
        ).rejects.toMatchObject({ ...failed, cause: { message: 'enough' } });
        const onProgress = (): void => {
          throw new Error('not ready');
        };
        await expect(runner.startMany(of, inputs(3), { onProgress })).rejects.toMatchObject({
          code: 'START_MANY',
          created: 3,
          cause: { message: 'not ready' },
        });
        async function* broken(): AsyncGenerator<Input> {
          yield { n: 0 };
          throw new Error('cursor lost');
        }
        await expect(runner.startMany(of, broken())).rejects.toMatchObject({
          ...failed,
          index: 1,
          cause: { message: 'cursor lost' },
        });
      };
    }),
  );

  it(
    'refuses arguments that are not valid, before it starts anything',
    inTenant((serve) => {
      const of = serve(workflow());
      return async ({ runner }) => {
        const refused = (call: Promise<unknown>, code: string, text: string): Promise<void> =>
          expect(call).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
        await refused(runner.startMany('unknown', []), 'UNKNOWN_WORKFLOW', 'unknown');
        await refused(runner.startMany(of, { n: 1 } as never), 'INVALID_ARGUMENT', 'inputs');
        await refused(runner.startMany(of, 'text' as never), 'INVALID_ARGUMENT', 'inputs');
        await refused(runner.startMany(of, [], { key: 'n' as never }), 'INVALID_ARGUMENT', 'key');
        await refused(runner.startMany(of, [], { keys: 1 } as never), 'INVALID_ARGUMENT', 'keys');
        await refused(runner.startMany(of, [3 as never]), 'START_MANY', 'inputs');
        await refused(
          runner.startMany(of, [[{ n: 1 }, { manager: 1 }] as never]),
          'START_MANY',
          'manager',
        );
        await refused(runner.startMany(of, inputs(1), { key: () => '' }), 'START_MANY', 'key');
      };
    }),
  );
});

describe('startMany in a transaction', () => {
  it(
    'stores the executions with its commit',
    inTenant((serve) => {
      const of = serve(workflow());
      return async (tenant) => {
        const key = ({ n }: Partial<Input>): string => `n ${n}`;
        await tenant.runner.startMany(of, [{ n: 4_000 }], { key });
        const { created, existing, ids } = await tenant.dataSource.transaction(async (manager) => {
          const result = await tenant.runner.startMany(of, inputs(4_500), { key, manager });
          expect(await countOf(tenant, of)).toBe(1);
          return result;
        });
        expect([created, existing]).toEqual([4_499, 1]);
        expect(await numbersOf(tenant, ids)).toEqual(numbers(4_500));
        await tenant.runner.handle(ids[0]!).result();
      };
    }),
  );

  it(
    'stores all or none, even if the transaction goes on after a failure',
    inTenant((serve) => {
      const of = serve(workflow());
      return async (tenant) => {
        await tenant.dataSource.transaction(async (manager) => {
          const source = [...inputs(2_500), { n: Number.NaN }];
          await expect(tenant.runner.startMany(of, source, { manager })).rejects.toMatchObject({
            code: 'START_MANY',
            index: 2_500,
            created: 0,
          });
          await tenant.runner.start(of, { n: 1 }, { manager });
        });
        expect(await countOf(tenant, of)).toBe(1);
      };
    }),
  );

  it(
    'tells the observers of the starts after the commit',
    inTenant((serve) => {
      const of = serve(workflow());
      return async (tenant) => {
        const all = gate();
        const seen: string[] = [];
        const subscription = tenant.runner.events$.subscribe((event) => {
          if (event.type === 'execution.started') seen.push(event.executionId);
          if (seen.length === 3) all.open();
        });
        const { ids } = await tenant.dataSource.transaction((manager) =>
          tenant.runner.startMany(of, inputs(3), { manager, delay: '1h' }),
        );
        await all.passed;
        subscription.unsubscribe();
        expect(seen.toSorted()).toEqual(ids.toSorted());
      };
    }),
  );
});

describe('startMany with isolation by role', () => {
  it("stores in a caller's transaction, of which the role may not write the tables", async () => {
    const of = workflow();
    const tenant = await openTenant([of], { isolation: 'role' });
    const { created } = await tenant.dataSource.transaction((manager) =>
      // Not due before the test ends: a cancel leaves out executions that have ended.
      tenant.runner.startMany(of, inputs(10), { manager, delay: '1h' }),
    );
    expect(created).toBe(10);
    const denied = tenant.dataSource.query('DELETE FROM cloacina_workflow_execution');
    await expect(denied).rejects.toThrow('permission denied');
    const cancelled = await tenant.runner.cancelMany({ all: true });
    expect(cancelled).toEqual({ matched: 10, changed: 10 });
    const deleted = await tenant.runner.deleteMany({ all: true });
    expect(deleted).toEqual({ matched: 10, changed: 10 });
  });
});
