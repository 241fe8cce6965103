import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { openBrowser } from './chromium.js';
import { expectAccessible } from './expect-accessible.js';
import { Visitor } from './visitor.js';
import { group, imported, LONG_NAME } from './workflows.js';
import { World } from './world.js';

let world: World;
let browser: Browser;
let user: Visitor;
let ids: Record<'failed' | 'waiting' | 'hostile' | 'map' | 'family', string>;

beforeAll(async () => {
  world = await World.start('Express');
  const [failed, waiting, hostile, map, family] = await Promise.all([
    world.orders(),
    world.waiting(),
    world.hostile(),
    world.acme.execute(imported, { rows: 1_000 }, { settled: true }),
    world.acme.execute(group, {}, { settled: true }),
    world.schedule(),
  ]);
  await world.actions();
  ids = { failed, waiting, hostile, map: map.id, family: family.id };
  browser = await openBrowser();
  user = await Visitor.open(browser, world.url);
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});
afterEach(() => expect(user.complaints.splice(0)).toEqual([]));

describe('In both themes, wide and narrow, axe finds nothing in', () => {
  it.each<[string, () => string, string | RegExp]>([
    ['overview', () => '', 'Oldest due task'],
    ['executions', () => 't/acme/executions', 'expense-approval'],
    ['executions-none', () => 't/acme/executions?status=Paused', 'No execution matches.'],
    ['execution-failed', () => `t/acme/executions/${ids.failed}`, 'HTTP 402 from the bank'],
    ['execution-waiting', () => `t/acme/executions/${ids.waiting}`, /signal/],
    ['execution-hostile', () => `t/acme/executions/${ids.hostile}`, /<script>/],
    ['execution-map', () => `t/acme/executions/${ids.map}`, '995 of 1,000 items'],
    ['execution-family', () => `t/acme/executions/${ids.family}`, 'Children'],
    ['failures', () => 'failures', /was refused/],
    ['schedules', () => 't/acme/schedules', 'nightly-orders'],
    ['schedules-none', () => 't/globex/schedules', /has no schedules/],
    ['schedule', () => 't/acme/schedules/nightly-orders', 'Next firings'],
    ['workflows', () => 't/acme/workflows', 'import-airports'],
    ['workflow', () => 't/acme/workflows/order-fulfilment', 'Graph'],
    ['workflow-long', () => `t/acme/workflows/${LONG_NAME}`, 'Graph'],
    ['limits', () => 't/acme/limits', 'bank'],
    ['actions', () => 't/acme/actions', 'Paused the workflow'],
    ['actions-none', () => 't/acme/actions?actor=zoe', 'No action matches'],
    ['actions-empty', () => 't/globex/actions', /has been changed yet/],
    ['tenants', () => 'tenants', 'globex'],
    ['processes', () => 'processes', 'takes tasks'],
    ['nowhere', () => 'nowhere', 'There is no such page'],
  ])('%s', async (name, place, text) => {
    await user.go(place());
    await user.see(text);
    if (/^(execution-|workflow$|workflow-)/.test(name)) {
      await user.main.locator('.graph .node').first().waitFor();
    }
    await expectAccessible(user, name);
  });

  it('dialogs', async () => {
    await user.go(`t/acme/executions/${ids.waiting}`);
    await user.button('Signal…').click();
    await user.dialog.getByLabel('Payload').waitFor();
    await expectAccessible(user, 'dialog-signal');
    await user.go('t/acme/executions');
    await user.button('Cancel all…').click();
    await user.dialog.getByText(/Cancel \d+ executions? in tenant/).waitFor();
    await expectAccessible(user, 'dialog-bulk');
    await user.go('t/acme/schedules/nightly-orders');
    await user.button('Backfill…').click();
    await user.dialog.getByLabel('Overlap').waitFor();
    await expectAccessible(user, 'dialog-backfill');
    await user.go('');
    await user.see('Oldest due task');
    await user.press('?');
    await user.dialog.waitFor();
    await expectAccessible(user, 'dialog-shortcuts');
    await user.press('Escape');
  });

  it('the menu of a narrow window', async () => {
    await user.go('');
    await user.see('Oldest due task');
    await user.look({ colorScheme: 'light', width: 390 });
    await user.button('Menu').click();
    await user.page.getByRole('navigation').getByText('Executions').waitFor();
    await expectAccessible(user, 'menu');
  });

  it('a view that loads, and one whose server does not answer', async () => {
    let answer = (): void => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    await user.context.route('**/api/failures*', async (route) => {
      await held;
      await route.abort();
    });
    await user.go('failures');
    await user.page.getByRole('status', { name: 'Loading' }).waitFor();
    await expectAccessible(user, 'loading');
    answer();
    await user.see('The server does not answer.');
    await expectAccessible(user, 'error');
    await user.context.unroute('**/api/failures*');
    // It reads again by itself.
    await user.page.getByRole('alert').waitFor({ state: 'detached' });
    await user.see(/was refused/);
    // Chromium says of the aborted calls that they failed.
    expect(user.complaints.splice(0)).toEqual(expect.arrayContaining([expect.any(String)]));
  });
});
