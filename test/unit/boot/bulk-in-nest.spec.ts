import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CloacinaTestingModule, TestingTenant } from 'nestjs-cloacina/testing';
import { InjectRunner } from '../../../lib/cloacina.tokens.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import type { BulkHandle } from '../../../lib/runner/bulk/bulk-options.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';

const Approval = defineSignal<{ approved: boolean }>('approval');

@Workflow({ name: 'invoice' })
class Invoice {
  /** Whether the provider is away, so that charges fail. */
  isAway = false;

  @Task()
  async wait(context: TaskContext) {
    return { ...(await context.waitFor(Approval)) };
  }

  @Task({ dependsOn: ['wait'], retry: { maxAttempts: 1 } })
  charge() {
    if (this.isAway) throw new Error('The provider is away.');
  }
}

// A type, not an interface: inputs are JSON, which an interface is not known to be.
type Batch = { readonly batch: string; readonly n: number };

/** A service of the application, which gets its runner from Nest. */
@Injectable()
class Invoicing {
  constructor(@InjectRunner('acme') private readonly runner: CloacinaRunner) {}

  async *inputs(batch: string, count: number): AsyncGenerator<Batch> {
    for (let n = 0; n < count; n++) yield { batch, n };
  }

  start(batch: string, count: number) {
    return this.runner.startMany(Invoice, this.inputs(batch, count), {
      key: ({ n }) => `${batch} ${String(n)}`,
      tags: { batch },
      priority: 5,
    });
  }

  pause = (batch: string) => this.runner.pauseMany({ tags: { batch } }, { reason: 'audit' });
  resume = (batch: string) => this.runner.resumeMany({ tags: { batch } });
  approve = (batch: string) =>
    this.runner.signalMany({ tags: { batch } }, Approval, { approved: true });
  cancel = (batch: string, dryRun: boolean) =>
    this.runner.cancelMany({ workflow: Invoice, tags: { batch } }, { reason: 'wrong', dryRun });
  retry = (batch: string): Promise<BulkHandle> =>
    this.runner.retryMany({ tags: { batch } }, { background: true });
  remove = (batch: string) => this.runner.deleteMany({ tags: { batch } });
}

let app: TestingModule;
let invoicing: Invoicing;
let invoice: Invoice;
let runner: CloacinaRunner;

beforeAll(async () => {
  app = await Test.createTestingModule({
    imports: [CloacinaTestingModule.forTenant({ tenant: 'acme' })],
    providers: [Invoice, Invoicing],
  }).compile();
  await app.init();
  invoicing = app.get(Invoicing);
  invoice = app.get(Invoice);
  runner = app.get(CloacinaRunner);
});
afterAll(() => app.close());

/** The numbers of executions by status, once nothing is left to do. */
async function statusesOf(batch: string) {
  await app.get(TestingTenant).drain();
  const [counts] = await runner.counts({ tags: { batch } });
  return counts?.byStatus;
}

describe('Bulk calls in a Nest application', () => {
  it('start by an iterable once, wait for approval, and complete', async () => {
    const { ids, ...first } = await invoicing.start('may', 25);
    expect(first).toEqual({ created: 25, existing: 0 });
    expect(await invoicing.start('may', 26)).toMatchObject({ created: 1, existing: 25 });
    expect(new Set(ids).size).toBe(25);
    expect(await invoicing.pause('may')).toEqual({ matched: 26, changed: 26 });
    expect(await invoicing.approve('may')).toEqual({ matched: 26, changed: 26 });
    expect((await runner.get(ids[0]!))?.waitingFor?.reason).toBe('paused');
    expect(await invoicing.resume('may')).toEqual({ matched: 26, changed: 26 });
    expect(await statusesOf('may')).toMatchObject({ Completed: 26 });
    expect((await runner.handle(ids[7]!).result()).context).toEqual({
      batch: 'may',
      n: 7,
      approved: true,
    });
  });

  it('count before they cancel, and delete what has ended', async () => {
    await invoicing.start('june', 5);
    expect(await invoicing.cancel('june', true)).toEqual({ matched: 5, changed: 0 });
    expect(await invoicing.remove('june')).toEqual({ matched: 0, changed: 0 });
    expect(await invoicing.cancel('june', false)).toEqual({ matched: 5, changed: 5 });
    expect(await invoicing.remove('june')).toEqual({ matched: 5, changed: 5 });
    expect(await runner.counts({ tags: { batch: 'june' } })).toEqual([]);
  });

  it('retry what has failed, in the background', async () => {
    invoice.isAway = true;
    await invoicing.start('july', 12);
    await invoicing.approve('july');
    expect(await statusesOf('july')).toMatchObject({ Failed: 12 });
    invoice.isAway = false;
    const operation = await invoicing.retry('july');
    const { context, workflow } = await operation.result();
    expect(workflow).toBe('cloacina.bulk');
    expect(context).toMatchObject({ matched: 12, changed: 12 });
    expect(await statusesOf('july')).toMatchObject({ Completed: 12 });
  });
});
