import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { Platform } from '../integration/dashboard/served.js';
import { openBrowser } from './chromium.js';
import { Visitor } from './visitor.js';
import { World } from './world.js';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

describe.each<Platform>(['Express', 'Fastify'])('By the keyboard alone, on %s', (platform) => {
  let world: World;
  let user: Visitor;

  beforeAll(async () => {
    world = await World.start(platform);
    await world.orders();
    await world.schedule();
    user = await Visitor.open(browser, world.url);
  });
  afterAll(async () => {
    await user?.close();
    await world?.close();
  });

  it('a user finds a failure, retries it, answers a wait, and controls executions', async () => {
    const waitingId = await world.waiting({ desk: 'two' });
    await user.go('');
    await user.see('Oldest due task');

    // Past the navigation, by the link that only keyboards see.
    await user.press('Tab');
    await user.tabTo(user.page.getByRole('link', { name: 'Skip to the content' }));
    await user.press('Enter');
    await user.tabTo(user.main.getByRole('link', { name: /Failed/ }).first());
    await user.press('Enter');
    await user.heading('Failures').waitFor();

    // To the executions of a tenant, filtered by a chip, a list and a field.
    await user.press('g', 'e');
    await user.heading('Executions').waitFor();
    await user.tabTo(user.button('Failed'));
    await user.press('Space');
    await user.seeRows(2);
    await user.tabTo(user.main.getByLabel('Workflow'));
    await user.page.keyboard.type('order');
    await user.page.waitForURL(/workflow=order-fulfilment/);
    await user.seeRows(2);

    // The second row, opened, retried, and left again. A letter in a list chooses there.
    await user.tabTo(user.rows.first().getByRole('link'));
    await user.press('j', 'Enter');
    await user.heading('order-fulfilment').waitFor();
    await user.main.locator('.graph .node').first().waitFor();
    await user.tabTo(user.main.locator('.graph .node', { hasText: 'reserve' }));
    await user.press('Space');
    await user.main.getByRole('heading', { name: 'reserve' }).waitFor();
    await user.tabTo(user.main.getByRole('button', { name: /^charge: Attempt/ }));
    await user.press('Space');
    await user.main.getByRole('heading', { name: 'charge' }).waitFor();
    await user.press('r');
    await user.tabTo(user.dialog.getByRole('button', { name: 'Retry' }));
    await user.press('Enter');
    await user.dialog.waitFor({ state: 'detached' });
    await user.see(/Retried/);
    // The key of the browser, which has no window here.
    await user.page.goBack();
    await user.heading('Executions').waitFor();

    // By its tag, the one that waits. The payload of the signal is typed, and sent.
    await user.tabTo(user.main.getByRole('link', { name: 'Clear' }));
    await user.press('Enter');
    await user.tabTo(user.main.getByRole('searchbox', { name: 'Tag' }));
    await user.page.keyboard.type('desk:two');
    await user.press('Enter');
    await user.seeRows(1);
    await user.tabTo(user.rows.first().getByRole('link'));
    await user.press('Enter');
    await user.heading('expense-approval').waitFor();
    await user.main.locator('[data-action=signal]').waitFor();
    await user.press('s');
    await user.tabTo(user.dialog.getByLabel('Payload'));
    await user.press('ControlOrMeta+a');
    await user.page.keyboard.type('{ "ok": true }');
    await user.tabTo(user.button('Send'));
    await user.press('Enter');
    await user.main.locator('h1 .s-Completed').waitFor();
    expect((await world.acme.get(waitingId))!.context).toMatchObject({ answer: { ok: true } });

    // Another one, by its id: paused with a reason, resumed, and cancelled after a second thought.
    const otherId = await world.waiting();
    await user.press('g', 'e');
    await user.heading('Executions').waitFor();
    await user.press('/');
    await user.page.keyboard.type(otherId);
    await user.press('Enter');
    await user.main.locator('[data-action=pause]').waitFor();
    await user.press('p');
    await user.dialog.waitFor();
    // The field has the focus.
    await user.page.keyboard.type('audit');
    await user.press('Enter');
    await user.main.locator('h1 .s-Paused').waitFor();
    expect((await world.acme.get(otherId))!.reason).toBe('audit');
    await user.press('u');
    await user.main.locator('[data-action=pause]').waitFor();
    await user.press('c');
    await user.dialog.waitFor();
    await user.press('Escape');
    await user.dialog.waitFor({ state: 'detached' });
    expect((await world.acme.get(otherId))!.status).toBe('Running');
    await user.press('c');
    await user.dialog.waitFor();
    await user.page.keyboard.type('not needed');
    await user.press('Enter');
    await user.main.locator('h1 .s-Cancelled').waitFor();
  });

  it('a user opens a dialog, and is where he was when it closes', async () => {
    await user.go('t/acme/schedules/nightly-orders');
    await user.tabTo(user.button('Pause…'));
    await user.press('Enter');
    await user.dialog.waitFor();
    await user.press('Escape');
    await user.dialog.waitFor({ state: 'detached' });
    await user.tabTo(user.button('Pause…').and(user.page.locator(':focus')));
    await user.tabTo(user.button('Backfill…'));
    await user.press('Enter');
    await user.tabTo(user.dialog.getByLabel('Overlap'));
    await user.page.keyboard.type('Each');
    expect(await user.dialog.getByLabel('Overlap').inputValue()).toBe('cancelPrevious');
    await user.tabTo(user.button('Back'));
    await user.press('Enter');
    await user.dialog.waitFor({ state: 'detached' });
    await user.button('Backfill…').and(user.page.locator(':focus')).waitFor();
  });

  it('a user opens a dialog in the moment in which the one before closes', async () => {
    await user.go('t/acme/schedules/nightly-orders');
    await user.button('Pause…').click();
    await user.dialog.waitFor();
    // In one turn of the browser: it reports the end of the first dialog when the second one is asked for already.
    await user.page.evaluate(`
      document.querySelector('dialog[open]').close();
      [...document.querySelectorAll('main button')].find(({ textContent }) => textContent === 'Backfill…').click();
    `);
    await user.page.getByRole('dialog', { name: /Backfill/ }).waitFor();
    await user.press('Escape');
    await user.dialog.waitFor({ state: 'detached' });
  });

  it('a user reads a chart, changes the theme and the tenant, and looks up the shortcuts', async () => {
    await user.go('');
    const chart = user.main.getByRole('img', { name: /^Executions started/ });
    await user.tabTo(chart);
    await user.press('ArrowLeft');
    await user.main.getByText(/^\d\d:\d\d · \d+ started/).waitFor();
    const navigation = user.page.getByRole('navigation', { name: 'Views' });
    await user.tabTo(navigation.getByLabel('Theme'));
    await user.page.keyboard.type('Dark');
    await user.page.locator('html[data-theme=dark]').waitFor({ state: 'attached' });
    await user.tabTo(navigation.getByLabel('Tenant'));
    await user.page.keyboard.type('globex');
    await user.page.waitForURL(/t\/globex\/executions/);
    await user.tabTo(navigation.getByRole('button', { name: 'Shortcuts' }));
    await user.press('Enter');
    await user.page.getByRole('heading', { name: 'Shortcuts' }).waitFor();
    await user.press('Escape');
    for (const [key, name] of [
      ['o', 'Overview'],
      ['s', 'Schedules'],
      ['w', 'Workflows'],
      ['l', 'Limits'],
      ['t', 'Tenants'],
      ['p', 'Processes'],
      ['f', 'Failures'],
    ] as const) {
      await user.press('g', key);
      await user.heading(name).waitFor();
    }
    expect(user.complaints).toEqual([]);
  });
});
