import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import { z } from 'zod';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineEvent, type EventDefinition } from '../../../lib/discovery/message-definitions.js';
import { StartOn } from '../../../lib/discovery/start-on.decorator.js';
import type { StartOnOptions } from '../../../lib/discovery/start-on.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import {
  openTenant,
  openTenants,
  sharedTenant,
  type OpenTenant,
} from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

interface Payment {
  readonly amount: number;
}
type Paid = EventDefinition<Payment>;
type Options = StartOnOptions<Payment, Payment>;
const newEvent = (): Paid => defineEvent<Payment>(`paid ${uuid()}`);

/** A workflow of one task that an event starts. */
function receipt(event: Paid, options: Options = {}, name = 'receipt') {
  return defineWorkflow(name, { input: z.object({ amount: z.number() }) })
    .startOn(event, options)
    .task('print', (context) => ({ printed: context.get('amount') }))
    .build();
}

interface Started {
  readonly id: string;
  readonly key: string | null;
}

async function executions({ runner }: OpenTenant, workflow = 'receipt'): Promise<Started[]> {
  const { items } = await runner.list({ workflow });
  return items.map(({ id, idempotencyKey }) => ({ id, key: idempotencyKey ?? null })).toReversed();
}

/** Waits until the tenant has this number of executions of the workflow, and no event is left that is to start one. */
async function started(
  tenant: OpenTenant,
  count: number,
  workflow = 'receipt',
): Promise<readonly Started[]> {
  return waitFor(
    async () => {
      const all = await executions(tenant, workflow);
      const left = await pending(tenant, workflow);
      return all.length === count && left.length === 0 ? all : undefined;
    },
    { what: `${count} executions that events have started` },
  );
}

interface PendingStart {
  readonly signal_id: string;
  readonly workflow: string;
  readonly attempts: number;
  readonly error: { readonly message: string } | null;
}

const pending = ({ query }: OpenTenant, workflow = 'receipt'): Promise<PendingStart[]> =>
  query<PendingStart>(
    `SELECT signal_id, workflow, attempts, error FROM cloacina_event_start
     WHERE workflow = $1 ORDER BY 1, 2`,
    [workflow],
  );

const contextOf = async ({ runner }: OpenTenant, id: string) =>
  (await runner.handle(id).result()).context;

describe('An event that starts a workflow', () => {
  const inTenant = sharedTenant();

  it(
    'starts one execution for each event, with a key that names the event',
    inTenant((serve) => {
      const event = newEvent();
      serve(receipt(event, {}, 'for each'));
      return async (tenant) => {
        await tenant.runner.emit(event, 'inv-1', { amount: 1 });
        await tenant.runner.emit(event, 'inv-1', { amount: 2 });
        await tenant.runner.emit(event, 'inv-1', { amount: 2 }, { idempotencyKey: 'once' });
        await tenant.runner.emit(event, 'inv-1', { amount: 2 }, { idempotencyKey: 'once' });
        const all = await started(tenant, 3, 'for each');
        const ids = await tenant.query<{ id: string }>(
          'SELECT id FROM cloacina_signal WHERE name = $1 ORDER BY id',
          [event.name],
        );
        expect(all.map(({ key }) => key).sort()).toEqual(ids.map(({ id }) => `event:${id}`).sort());
        const contexts = await Promise.all(all.map(({ id }) => contextOf(tenant, id)));
        expect(contexts.map(({ printed }) => printed).sort()).toEqual([1, 2, 2]);
      };
    }),
  );

  it('makes the input and the key by functions of a class, and may start nothing', async () => {
    const event = newEvent();
    const seen: unknown[] = [];

    @StartOn(event, {
      input: ({ amount }, received) => {
        seen.push(received);
        return amount > 0 ? { invoiceId: received.key, amount: amount * 2 } : undefined;
      },
      key: (_, { key }) => `receipt ${key}`,
    })
    @Workflow({ name: 'receipt' })
    class Receipt {
      @Task()
      print(context: TaskContext<{ invoiceId: string; amount: number; printed?: string }>) {
        return { printed: `${context.require('invoiceId')}: ${context.require('amount')}` };
      }
    }
    const tenant = await openTenant([new Receipt()]);
    await tenant.runner.emit(event, 'inv-0', { amount: 0 });
    await tenant.runner.emit(event, 'inv-1', { amount: 1 });
    await tenant.runner.emit(event, 'inv-1', { amount: 3 });
    const [one] = await started(tenant, 1);
    expect(one?.key).toBe('receipt inv-1');
    const { printed } = await contextOf(tenant, one?.id ?? '');
    expect(['inv-1: 2', 'inv-1: 6']).toContain(printed);
    expect(seen).toHaveLength(3);
    expect(seen[0]).toEqual({
      id: expect.stringMatching(/^\d+$/),
      name: event.name,
      key: 'inv-0',
      payload: { amount: 0 },
      sentAt: expect.any(Date),
    });
    expect(tenant.runner.workflows()).toMatchObject([{ startsOn: [event.name] }]);
  });

  it(
    'starts several workflows, and still wakes the tasks that wait for it',
    inTenant((serve) => {
      const event = newEvent();
      const waiting = serve(
        defineWorkflow('waiting')
          .task('wait', async (context) => ({ got: await context.waitFor(event, { key: 'k' }) }))
          .build(),
      );
      for (const name of ['one of several', 'ledger']) serve(receipt(event, {}, name));
      return async (tenant) => {
        const { id } = await tenant.runner.start(waiting);
        await tenant.runner.emit(event, 'k', { amount: 5 });
        expect(await contextOf(tenant, id)).toEqual({ got: { amount: 5 } });
        await started(tenant, 1, 'one of several');
        await started(tenant, 1, 'ledger');
      };
    }),
  );

  it(
    'starts with a transaction that commits, and nothing with one that rolls back',
    inTenant((serve) => {
      const event = newEvent();
      serve(receipt(event, {}, 'in a transaction'));
      return async (tenant) => {
        const { runner, dataSource } = tenant;
        await dataSource
          .transaction(async (manager) => {
            await runner.emit(event, 'k', { amount: 1 }, { manager });
            throw new Error('no');
          })
          .catch(() => undefined);
        await dataSource.transaction((manager) =>
          runner.emit(event, 'k', { amount: 2 }, { manager }),
        );
        const [one] = await started(tenant, 1, 'in a transaction');
        expect(await contextOf(tenant, one?.id ?? '')).toMatchObject({ printed: 2 });
      };
    }),
  );

  it('starts only in its tenant, and only where the tenant has the workflow', async () => {
    const event = newEvent();
    const workflow = receipt(event);
    const [acme, globex, none] = (await openTenants(
      [workflow],
      [{}, {}, { workflows: [] as never }],
    )) as [OpenTenant, OpenTenant, OpenTenant];
    await acme.runner.emit(event, 'k', { amount: 1 });
    await none.runner.emit(event, 'k', { amount: 1 });
    await started(acme, 1);
    expect(await executions(globex)).toEqual([]);
    expect(await none.query('SELECT * FROM cloacina_event_subscription')).toEqual([]);
    expect(await none.query('SELECT * FROM cloacina_event_start')).toEqual([]);
    await globex.runner.emit(event, 'k', { amount: 1 });
    await started(globex, 1);
  });

  it('that a process without the code delivers is started by one with it', async () => {
    const event = newEvent();
    const schema = freshSchema();
    const worker = await openTenant([receipt(event)], { schema });
    const sender = await openTenant([], { schema });
    await sender.runner.emit(event, 'k', { amount: 1 });
    await started(worker, 1);
  });

  it('waits for a process that serves the workflow', async () => {
    const event = newEvent();
    const schema = freshSchema();
    const first = await openTenant([receipt(event)], { schema });
    await first.close();
    const sender = await openTenant([], { schema });
    await sender.runner.emit(event, 'k', { amount: 1 });
    await waitFor(async () => (await pending(sender)).length === 1);
    expect(await pending(sender)).toMatchObject([{ workflow: 'receipt', attempts: 0 }]);
    const later = await openTenant([receipt(event)], { schema });
    await started(later, 1);
  });

  it('no longer starts a workflow whose newest definition does not name it', async () => {
    const event = newEvent();
    const schema = freshSchema();
    await openTenant([receipt(event)], { schema });
    const without = defineWorkflow('receipt')
      .task('print', () => ({}))
      .build();
    const tenant = await openTenant([without], { schema });
    await tenant.runner.emit(event, 'k', { amount: 1 });
    await waitFor(async () => {
      const [row] = await tenant.query<{ delivered: boolean }>(
        'SELECT delivered FROM cloacina_signal',
      );
      return row?.delivered;
    });
    expect([await pending(tenant), await executions(tenant)]).toEqual([[], []]);
  });

  describe('whose input the workflow refuses', () => {
    let warn: ReturnType<typeof jest.spyOn>;
    beforeEach(() => {
      warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    });
    afterEach(() => {
      warn.mockRestore();
    });

    it('is reported and kept, holds nothing up, and starts once the code takes it', async () => {
      const event = newEvent();
      const schema = freshSchema();
      const strict = await openTenant(
        [
          receipt(event, {
            input: ({ amount }) => ({ amount: amount > 1 ? amount : 'one' }) as never,
          }),
        ],
        { schema },
      );
      await strict.runner.emit(event, 'inv-1', { amount: 1 });
      await strict.runner.emit(event, 'inv-2', { amount: 2 });
      const refused = await waitFor(async () => {
        const [row] = await pending(strict);
        return row?.error === null ? undefined : row;
      });
      expect(refused).toMatchObject({
        attempts: 1,
        error: { code: 'INVALID_CONTEXT', message: expect.stringContaining('input schema') },
      });
      expect(warn).toHaveBeenCalledWith(
        expect.stringMatching(
          new RegExp(
            `event ${refused.signal_id} \\("${event.name}", key "inv-1"\\) could not start workflow "receipt": .*again in 1 min`,
          ),
        ),
      );
      await waitFor(async () => (await executions(strict)).length === 1);
      await strict.close();

      const lenient = await openTenant([receipt(event)], { schema });
      await lenient.query('UPDATE cloacina_event_start SET due_at = now()');
      lenient.engine.startByEvents();
      await started(lenient, 2);
    });

    describe('says why:', () => {
      const refusals: readonly [what: string, Options, message: string][] = [
        [
          'a function that throws',
          {
            input: () => {
              throw new Error('no input');
            },
          },
          'no input',
        ],
        [
          'a function that rejects',
          { input: async () => Promise.reject(new Error('late')) },
          'late',
        ],
        ['an input that is no object', { input: () => 'text' as never }, 'input'],
        ['a key that is not valid', { key: () => '' }, 'idempotencyKey'],
        ['a key of another type', { key: () => 7 as never }, 'idempotencyKey'],
      ];
      for (const [what, options, message] of refusals) {
        it(
          what,
          inTenant((serve) => {
            const event = newEvent();
            serve(receipt(event, options, what));
            return async (tenant) => {
              await tenant.runner.emit(event, 'k', { amount: 1 });
              const error = await waitFor(async () => (await pending(tenant, what))[0]?.error);
              expect(error.message).toContain(message);
              expect(await executions(tenant, what)).toEqual([]);
            };
          }),
        );
      }
    });

    it('is dropped with a word when the event expires', async () => {
      const event = defineEvent<Payment>(`short ${uuid()}`, { keepFor: '1h' });
      const tenant = await openTenant([
        receipt(event, { input: () => ({ amount: 'x' }) as never }),
      ]);
      await tenant.runner.emit(event, 'k', { amount: 1 });
      await waitFor(async () => (await pending(tenant))[0]?.error);
      await tenant.query('UPDATE cloacina_signal SET expires_at = now()');
      await tenant.engine.expireEvents();
      expect(await pending(tenant)).toEqual([]);
      expect(warn).toHaveBeenLastCalledWith(
        expect.stringContaining('before they had started "receipt"'),
      );
    });
  });
});
