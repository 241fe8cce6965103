import { equal } from 'node:assert/strict';
import { defineSignal, defineWorkflow } from 'nestjs-cloacina';
import { createTestingTenant } from 'nestjs-cloacina/testing';

const Approval = defineSignal<{ by: string }>('approval');

const sale = defineWorkflow('sale')
  .task('approve', async (context) => {
    const approval = await context.waitFor(Approval, { timeout: '14d' });
    return { approvedBy: approval?.by ?? 'nobody' };
  })
  .build();

/** Two weeks of waiting with the test kit, without a test runner. */
export async function passTwoWeeks(): Promise<void> {
  const tenant = await createTestingTenant({ workflows: [sale] });
  const approved = await tenant.runner.start(sale);
  const late = await tenant.runner.start(sale);
  await tenant.time.advance('13d');
  await tenant.signal(approved, Approval, { by: 'Ada' });
  await tenant.crash();
  await tenant.restart();
  await tenant.time.advance('1d');
  const read = async (id: string) => (await tenant.runner.get(id))?.context['approvedBy'];
  equal(await read(approved.id), 'Ada');
  equal(await read(late.id), 'nobody');
  equal(tenant.time.now().toISOString().slice(0, 10), '2030-01-15');
  await tenant.close();
}
