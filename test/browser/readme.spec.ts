import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../lib/discovery/message-definitions.js';
import { openBrowser } from './chromium.js';
import { Visitor } from './visitor.js';
import { World } from './world.js';

/** `CLOACINA_PICTURES=docs/images npm run test:browser -- readme` takes the picture of the README anew. */
const PICTURES = process.env['CLOACINA_PICTURES'];
const MAX_BYTES = 200_000;

const Approval = defineSignal<{ approved: boolean }>('approval');

/** The handlers take a time that is seen in the timeline. */
const order = defineWorkflow<{ customer: string; amount: number }>('order-fulfilment', {
  version: '3',
})
  .task('validate', async () => {
    await sleep(150);
    return { items: 3 };
  })
  .task(
    'charge',
    { dependsOn: ['validate'], retry: { maxAttempts: 3, delay: '300ms' } },
    async (context) => {
      await sleep(250);
      if (context.attempt === 1) throw new Error('The bank answered 503');
      return { paymentId: 'pay_4711' };
    },
  )
  .task('reserve', { dependsOn: ['validate'] }, async () => {
    await sleep(400);
    return { shelf: 'B-12' };
  })
  .task('approve', { dependsOn: ['charge', 'reserve'] }, async (context) => {
    await context.waitFor(Approval, { timeout: '2d' });
  })
  .task('ship', { dependsOn: ['approve'] }, () => ({ parcel: 'p-77' }))
  .task('invoice', { dependsOn: ['approve'] }, () => ({ invoice: 'i-2041' }))
  .build();

it('an execution that waits for a person is the picture of the README', async () => {
  const world = await World.start('Express', { workflows: [order] });
  const browser = await openBrowser();
  try {
    const runner = world.acme;
    const { id } = await runner.start(
      order,
      { customer: 'Lovelace', amount: 1_250 },
      { tags: { region: 'eu' }, idempotencyKey: 'order 4711' },
    );
    for await (const { tasks } of runner.watch(id)) {
      if (tasks.some(({ waitingFor }) => waitingFor?.reason === 'signal')) break;
    }
    const user = await Visitor.open(browser, world.url);
    await user.page.setViewportSize({ width: 1440, height: 860 });
    await user.go(`t/acme/executions/${id}`);
    await user.page.getByRole('region', { name: 'Why it has not ended' }).waitFor();
    await user.main.locator('.graph .node').nth(5).waitFor();
    await user.main.getByRole('button', { name: /^approve: / }).waitFor();
    const picture = await user.page.screenshot();
    expect(picture.length).toBeLessThan(MAX_BYTES);
    if (PICTURES === undefined) return;
    mkdirSync(PICTURES, { recursive: true });
    writeFileSync(path.join(PICTURES, 'dashboard.png'), picture);
  } finally {
    await browser.close();
    await world.close();
  }
});
