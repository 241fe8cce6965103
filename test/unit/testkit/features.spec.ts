import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  CloacinaRunner,
  defineEvent,
  defineSignal,
  defineWorkflow,
  Task,
  Workflow,
  type TaskContext,
} from 'nestjs-cloacina';
import {
  cloacinaMatchers,
  CloacinaTestingModule,
  createTestingTenant,
  ExecutionStuckError,
  getTestingTenantToken,
  TestingTenant,
  type OwnTestingTenant,
} from 'nestjs-cloacina/testing';

expect.extend(cloacinaMatchers);

const Answer = defineSignal<{ yes: boolean }>('answer');
const Paid = defineEvent<{ amount: number }>('paid');

@Injectable()
class Bank {
  readonly calls: string[] = [];
  charge(key: string, attempt: number): string {
    this.calls.push(`${key} ${attempt}`);
    return 'receipt';
  }
}

class CardDeclined extends Error {
  readonly code = 'CARD_DECLINED';
}

@Workflow({ name: 'sale' })
class Sale {
  constructor(private readonly bank: Bank) {}

  @Task({ retry: { maxAttempts: 2, delay: '1h', jitter: false } })
  async charge(context: TaskContext): Promise<{ receipt: string }> {
    const amount = Number(context.get('amount'));
    if (amount < 0) throw new CardDeclined('There is not enough on the card.');
    return { receipt: this.bank.charge(String(amount), context.attempt) };
  }

  @Task({ dependsOn: ['charge'] })
  async wrap(context: TaskContext): Promise<{ wrapped: string }> {
    const paper = await context.step('paper', () => 'blue');
    await context.sleep('dry', '3d');
    context.set('dried', true);
    return { wrapped: `${paper} ${context.workflow} ${context.attempt}/${context.maxAttempts}` };
  }

  @Task({ dependsOn: ['wrap'] })
  ship(): void {
    this.bank.calls.push('ship');
  }
}

const asking = defineWorkflow('asking')
  .task('ask', async (context) => ({ yes: (await context.waitFor(Answer)).yes }))
  .build();
const paying = defineWorkflow('paying')
  .task('wait', async (context) => ({
    amount: (await context.waitFor(Paid, { key: 'inv-1' })).amount,
  }))
  .build();

describe('A testing tenant in memory', () => {
  let tenant: OwnTestingTenant;
  beforeEach(async () => {
    tenant = await createTestingTenant({ workflows: [Sale, asking, paying], providers: [Bank] });
  });
  afterEach(() => tenant.close());

  it('runs an execution to its end, and moves the time only as far as it takes', async () => {
    const sale = await tenant.run(Sale, { amount: 5 });
    expect(sale).toHaveCompleted();
    expect(sale).toHaveRun(['charge', 'wrap', 'ship']);
    expect(tenant.time.now().toISOString().slice(0, 15)).toBe('2030-01-04T00:0');
  });

  it('does nothing while time stands still', async () => {
    const { id } = await tenant.runner.start(Sale, { amount: 5 }, { delay: '1m' });
    await tenant.drain();
    expect(tenant.get(Bank).calls).toEqual([]);
    await tenant.time.advance('61s');
    expect(tenant.get(Bank).calls).toEqual(['5 1']);
    expect(await tenant.runner.handle(id).status()).toBe('Running');
  });

  it('tells what an execution has failed with, and what happened', async () => {
    const sale = await tenant.run(Sale, { amount: -1 });
    expect(sale).toHaveFailedWith('CARD_DECLINED');
    expect(sale).toHaveFailedWith('not enough');
    expect(sale).toHaveFailedWith(/on the card/);
    expect(sale).toHaveFailedWith(CardDeclined);
    expect(sale).not.toHaveFailedWith('SOMETHING_ELSE');
    expect(sale).not.toHaveCompleted();
    expect(sale).toHaveRun(['charge']);
    expect(() => expect(sale).toHaveCompleted()).toThrow(
      /Expected sale to have completed, but it has not\.\n\nExecution \S+ is Failed: \w+ \(CARD_DECLINED\): There is not enough on the card\.\n {2}charge: Failed; 2 attempts; attempt 1: .*\n {2}wrap: Skipped/,
    );
    expect(() => expect(sale).toHaveRun(['ship'])).toThrow(/to have run ship, but it has not/);
    expect(() => expect(sale).not.toHaveFailedWith()).toThrow(/not to have failed, but it has/);
    expect(() => expect('sale').toHaveCompleted()).toThrow(
      /Expected an execution to have completed/,
    );
  });

  it('runs one task alone, with steps, sleeps and injected providers', async () => {
    expect(await tenant.runTask(Sale, 'charge', { context: { amount: 7 }, attempt: 2 })).toEqual({
      receipt: 'receipt',
    });
    expect(tenant.get(Bank).calls).toEqual(['7 2']);
    expect(await tenant.runTask(Sale, 'wrap', { attempt: 3 })).toEqual({
      wrapped: 'blue sale 3/3',
      dried: true,
    });
    await expect(
      tenant.runTask(Sale, 'charge', { context: { amount: -1 } }),
    ).rejects.toBeInstanceOf(CardDeclined);
    await expect(tenant.runTask(asking, 'aks')).rejects.toThrow(/not a task.*Did you mean "ask"/);
    await expect(tenant.runTask(Sale, 'ship', { attempt: 0 })).rejects.toThrow(/from 1, not 0/);
  });

  it('mocks a task, and restores it', async () => {
    const mock = tenant.mockTask<{ amount: number }>(Sale, 'charge', (context) => ({
      receipt: `mocked ${context.get('amount')}`,
    }));
    expect((await tenant.run(Sale, { amount: 1 })).context).toMatchObject({
      receipt: 'mocked 1',
    });
    expect(tenant.get(Bank).calls).toEqual(['ship']);
    mock.restore();
    expect((await tenant.run(Sale, { amount: 1 })).context).toMatchObject({ receipt: 'receipt' });
    expect(() => tenant.mockTask(Sale, 'chrage', () => undefined)).toThrow(/not a task/);
  });

  it('sends signals and events', async () => {
    const asked = await tenant.runner.start(asking);
    const payed = await tenant.runner.start(paying);
    await tenant.drain();
    await tenant.signal(asked, Answer, { yes: true });
    await tenant.emit(Paid, 'inv-1', { amount: 3 });
    expect(await tenant.runner.handle(asked.id).status()).toBe('Completed');
    expect(await tenant.runner.get(payed.id)).toHaveCompleted();
    expect((await tenant.history(asked)).map(({ type }) => type)).toContain('task.wait');
  });

  it('says what an execution waits for that time alone does not end', async () => {
    const stuck = tenant.run(asking);
    await expect(stuck).rejects.toBeInstanceOf(ExecutionStuckError);
    await expect(stuck).rejects.toThrow(/task "ask": .*answer/);
  });

  it.each(['claim', 'handler', 'record'] as const)(
    'recovers from a crash after %s',
    async (after) => {
      const { id } = await tenant.runner.start(Sale, { amount: 5 }, { delay: '1m' });
      await tenant.crash({ after, workflow: Sale, task: 'charge' });
      await tenant.time.advance('2m');
      expect(tenant.isDown).toBe(true);
      await expect(async () => tenant.runner.get(id)).rejects.toThrow(/has crashed.*restart/);
      await tenant.restart();
      expect(await tenant.time.advanceUntil(id)).toHaveCompleted();
      const charges = { claim: 1, handler: 2, record: 1 };
      const { calls } = tenant.get(Bank);
      expect(calls.filter((call) => call.startsWith('5'))).toHaveLength(charges[after]);
      const charge = (await tenant.runner.get(id))?.tasks[0];
      expect(charge?.recoveryAttempts).toBe(after === 'record' ? 0 : 1);
    },
  );

  it('rejects the results that callers wait for when it crashes', async () => {
    const waiting = tenant.runner.execute(asking);
    await tenant.drain();
    await tenant.crash();
    await expect(waiting).rejects.toMatchObject({ code: 'TENANT_REMOVED' });
    await tenant.restart();
    const [asked] = (await tenant.runner.list()).items;
    await tenant.signal(asked!.id, Answer, { yes: true });
    expect(await tenant.runner.get(asked!.id)).toHaveCompleted();
  });
});

describe('CloacinaTestingModule', () => {
  it('serves a tenant in a module of Nest', async () => {
    const module = await Test.createTestingModule({
      imports: [CloacinaTestingModule.forTenant()],
      providers: [Sale, Bank],
    }).compile();
    await module.init();
    try {
      const tenant = module.get(TestingTenant);
      expect(module.get(CloacinaRunner)).toBe(tenant.runner);
      expect(await tenant.run(Sale, { amount: 1 })).toHaveCompleted();
    } finally {
      await module.close();
    }
  });

  it('serves several tenants, each with executions of its own', async () => {
    const module = await Test.createTestingModule({
      imports: [CloacinaTestingModule.forTenants(['acme', 'globex'])],
      providers: [Sale, Bank],
    }).compile();
    await module.init();
    try {
      const acme = module.get<TestingTenant>(getTestingTenantToken('acme'));
      const globex = module.get<TestingTenant>(getTestingTenantToken('globex'));
      const sale = await acme.run(Sale, { amount: 1 });
      expect(await acme.runner.get(sale.id)).toHaveCompleted();
      expect(await globex.runner.get(sale.id)).toBeNull();
      expect(globex.time.now()).toEqual(acme.time.now());
    } finally {
      await module.close();
    }
  });

  it('keeps tenants apart whose long names begin alike', async () => {
    const names = ['1', '2'].map((end) => `the tenant of a customer with a long name ${end}`);
    const module = await Test.createTestingModule({
      imports: [CloacinaTestingModule.forTenants(names)],
      providers: [Sale, Bank],
    }).compile();
    await module.init();
    try {
      const [one, other] = names.map((name) =>
        module.get<TestingTenant>(getTestingTenantToken(name)),
      );
      const { id } = await one!.run(Sale, { amount: 1 });
      expect(await other!.runner.get(id)).toBeNull();
    } finally {
      await module.close();
    }
  });

  it('begins anew in each application of one module', async () => {
    const imports = [CloacinaTestingModule.forTenant()];
    const starts: string[] = [];
    for (const _ of [1, 2]) {
      const module = await Test.createTestingModule({ imports, providers: [Sale, Bank] }).compile();
      await module.init();
      const tenant = module.get(TestingTenant);
      starts.push(tenant.time.now().toISOString());
      expect((await tenant.runner.list()).items).toEqual([]);
      await tenant.run(Sale, { amount: 1 });
      await module.close();
      expect(tenant.isDown).toBe(true);
    }
    expect(starts[1]).toBe(starts[0]);
  });

  it('reports invalid options of the kit and of the module', async () => {
    expect(() => CloacinaTestingModule.forTenant({ store: 'disk' as never })).toThrow(
      /CloacinaTestingModule\.forTenant\(\): store must be "memory" or "postgres"/,
    );
    await expect(createTestingTenant({ leaseDuration: '1ms' })).rejects.toThrow(/leaseDuration/);
  });

  it('has no database in memory, and says so', async () => {
    const failing = defineWorkflow('sql')
      .task('read', { retry: { maxAttempts: 1 } }, async (context) => {
        await context.manager.query('SELECT 1');
      })
      .build();
    const tenant = await createTestingTenant({ workflows: [failing] });
    expect(await tenant.run(failing)).toHaveFailedWith(
      /the tenant is in memory.*store: 'postgres'/,
    );
    await tenant.close();
  });
});

it('moves the time by itself while a call waits for a result, with autoAdvance', async () => {
  const tenant = await createTestingTenant({
    workflows: [Sale],
    providers: [Bank],
    autoAdvance: true,
  });
  const result = await tenant.runner.execute(Sale, { amount: 4 });
  expect(result).toHaveCompleted();
  expect(tenant.time.now().getUTCDate()).toBe(4);
  const before = tenant.time.now();
  await tenant.runner.start(Sale, { amount: 4 });
  await tenant.drain();
  expect(tenant.time.now()).toEqual(before);
  await tenant.close();
});

it('goes on without a handler that waits for its signal', async () => {
  const hanging = defineWorkflow('hanging')
    .task(
      'hang',
      { timeout: '1h', retry: { maxAttempts: 1 } },
      ({ signal }) =>
        new Promise<void>((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        ),
    )
    .build();
  const tenant = await createTestingTenant({ workflows: [hanging], handlerWait: '20ms' });
  expect(await tenant.run(hanging)).toHaveFailedWith('TASK_TIMEOUT');
  await tenant.close();
});
