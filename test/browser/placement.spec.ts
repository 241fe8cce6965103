import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import helmet from 'helmet';
import type { Browser } from 'playwright-core';
import type { Platform } from '../integration/dashboard/served.js';
import { openBrowser } from './chromium.js';
import { StrippingProxy } from './stripping-proxy.js';
import { Visitor } from './visitor.js';
import { World } from './world.js';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

/** All applications of these tests have a global prefix and versions in their URLs. */
describe.each<Platform>(['Express', 'Fastify'])('The page on %s', (platform) => {
  it("works behind a proxy with a path of its own, with helmet's default policy", async () => {
    const world = await World.start(platform, { prepare: (app) => app.use(helmet()) });
    const proxy = await StrippingProxy.start(new URL(world.url), '/internal/tools');
    const user = await Visitor.open(browser, proxy.url);
    try {
      const id = await world.waiting();
      await user.go('');
      await user.see('Oldest due task');
      await user.main.locator('.live.live').waitFor();
      await user.press('g', 'e');
      await user.seeRows(1);
      await user.rows.first().getByRole('link').first().click();
      await user.main.locator('.graph .node').first().waitFor();
      expect(user.page.url()).toBe(`${proxy.url}/t/acme/executions/${id}`);
      await user.page.reload();
      await user.button('Cancel…').click();
      await user.button('Cancel execution').click();
      await user.main.locator('h1 .s-Cancelled').waitFor();
      expect(user.complaints).toEqual([]);
      // Nothing is loaded from elsewhere, so it works offline.
      expect([...user.origins]).toEqual([new URL(proxy.url).origin]);
    } finally {
      await user.close();
      await proxy.close();
      await world.close();
    }
  });

  it('shows no action in read-only mode', async () => {
    const world = await World.start(platform, { options: { readOnly: true } });
    const user = await Visitor.open(browser, world.url);
    try {
      const failedId = await world.orders();
      const waitingId = await world.waiting();
      await world.schedule();
      for (const [place, text] of [
        [`t/acme/executions/${waitingId}`, /signal/],
        [`t/acme/executions/${failedId}`, 'HTTP 402 from the bank'],
        ['t/acme/executions', 'expense-approval'],
        ['failures', /was refused/],
        ['t/acme/schedules', 'nightly-orders'],
        ['t/acme/schedules/nightly-orders', 'Next firings'],
        ['t/acme/workflows/order-fulfilment', 'Graph'],
      ] as const) {
        await user.go(place);
        await user.see(text);
        const action =
          /^(Signal…|Retry…|Retry all…|Cancel…|Cancel all…|Pause…|Resume…?|Run now|Backfill…)$/;
        expect([place, await user.main.getByRole('button', { name: action }).count()]).toEqual([
          place,
          0,
        ]);
        // Keys do nothing either.
        await user.press('c', 'p', 'r', 's');
        expect(await user.dialog.count()).toBe(0);
      }
      await user.page.getByText('read only').waitFor();
      expect(user.complaints).toEqual([]);
    } finally {
      await user.close();
      await world.close();
    }
  });
});
