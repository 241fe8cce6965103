import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { Platform } from '../integration/dashboard/served.js';
import { openBrowser } from './chromium.js';
import { Visitor } from './visitor.js';
import { approval, group, imported, order } from './workflows.js';
import { World } from './world.js';

/** More executions than a bulk action changes at once: it goes on in the background, and shows its progress. */
const MANY = 1_010;

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

describe.each<Platform>(['Express', 'Fastify'])('A user of the page on %s', (platform) => {
  let world: World;
  let user: Visitor;
  let failedId: string;

  beforeAll(async () => {
    world = await World.start(platform);
    failedId = await world.orders();
    await world.schedule();
    user = await Visitor.open(browser, world.url);
  });
  afterAll(async () => {
    await user?.close();
    await world?.close();
  });
  afterEach(() => expect(user.complaints.splice(0)).toEqual([]));

  it('sees the overview move by itself', async () => {
    await user.go('');
    await user.see('Oldest due task');
    await user.main.locator('.live.live').waitFor();
    const paused = user.main.locator('.tile.s-Paused b');
    await paused.getByText('0', { exact: true }).waitFor();
    const id = await world.waiting();
    await world.acme.pause(id);
    await paused.getByText('1', { exact: true }).waitFor();
    await world.acme.cancel(id);
    await paused.getByText('0', { exact: true }).waitFor();
    await user.button('Day').click();
    await user.main.getByRole('img', { name: /started, .* failed/ }).waitFor();
  });

  it('finds executions by status, workflow, tag, time, key and id', async () => {
    await world.acme.start(approval, { amount: 1 }, { idempotencyKey: 'expense 17', delay: '1d' });
    await user.go('t/acme/executions');
    await user.button('Failed').click();
    await user.main.getByLabel('Workflow').selectOption('order-fulfilment');
    await user.seeRows(2);
    expect(user.page.url()).toContain('status=Failed&workflow=order-fulfilment');
    await user.main.getByLabel('Created').selectOption('Last hour');
    await user.seeRows(2);
    await user.main.getByRole('searchbox', { name: 'Tag' }).fill('region:mars');
    await user.press('Enter');
    await user.see('No execution matches.');
    await user.main.getByRole('link', { name: 'Show all' }).click();
    const key = user.main.getByRole('searchbox', { name: 'Id or idempotency key' });
    await key.fill('expense 17');
    await user.press('Enter');
    await user.seeRows(1);
    await user.see('expense-approval');
    await key.fill(failedId);
    await user.press('Enter');
    await user.see('HTTP 402 from the bank');
  });

  it('turns pages of executions, there and back', async () => {
    const tags = { page: 'turned' };
    const inputs = Array.from({ length: 60 }, (_, amount) => ({ amount }));
    await world.acme.startMany(approval, inputs, { tags, delay: '1d' });
    await user.go('t/acme/executions?tag=page:turned');
    await user.seeRows(50);
    await user.button('Next →').click();
    await user.seeRows(10);
    expect(await user.button('Next →').isDisabled()).toBe(true);
    await user.button('← Previous').click();
    await user.seeRows(50);
    expect(await user.button('← Previous').isDisabled()).toBe(true);
    // By a link to the second page, there is no first one to go back to in the history of the browser.
    await user.button('Next →').click();
    await user.seeRows(10);
    const second = user.page.url();
    await user.page.goto('about:blank');
    await user.page.goto(second);
    await user.seeRows(10);
    await user.button('← Previous').click();
    await user.seeRows(50);
  });

  it('cancels and retries all that match, after a count', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => world.waiting({ batch: 'b1' })));
    await user.go('t/acme/executions?tag=batch:b1');
    await user.seeRows(3);
    await user.button('Cancel all…').click();
    await user.button('Cancel 3 executions').click();
    await user.dialog.getByText('3 changed.').waitFor();
    await user.press('Escape');
    await user.button('Cancelled').click();
    await user.main.locator('tbody .s-Cancelled').nth(2).waitFor();
    await user.button('Retry all…').click();
    await user.button('Retry 3 executions').click();
    await user.dialog.getByText('3 changed.').waitFor();
    const history = await world.acme.history(ids[0]!);
    expect(history).toContainEqual(
      expect.objectContaining({ type: 'execution.retried', actor: 'ann' }),
    );
  });

  it('follows a bulk action of many executions to its end', async () => {
    const inputs = Array.from({ length: MANY }, (_, amount) => ({ amount }));
    await world.acme.startMany(approval, inputs, { tags: { batch: 'many' }, delay: '1d' });
    await user.go('t/acme/executions?tag=batch:many');
    await user.seeRows(50);
    await user.button('Cancel all…').click();
    await user.button('Cancel 1,010 executions').click();
    await user.dialog.getByText('Done.').waitFor();
    const progress = user.dialog.getByRole('progressbar');
    expect(await progress.getAttribute('value')).toBe(await progress.getAttribute('max'));
    await user.dialog.getByRole('link', { name: 'The operation' }).click();
    await user.main.locator('h1 .s-Completed').waitFor();
    const cancelled = { tags: { batch: 'many' }, status: 'Cancelled' } as const;
    expect(await world.acme.retryMany(cancelled, { dryRun: true })).toMatchObject({
      matched: MANY,
    });
  });

  it('reads an execution: graph, timeline, values, causes and history', async () => {
    await user.go(`t/acme/executions/${failedId}`);
    await user.main.locator('.graph .node.s-Failed').waitFor();
    expect(await user.main.locator('.graph .node.s-Skipped').count()).toBe(3);
    // Two attempts of the failed task.
    const row = user.main.getByRole('button', { name: /^charge: Attempt 1: Failed.*; Attempt 2/ });
    await row.waitFor();
    await user.main.locator('.graph .node', { hasText: 'reserve' }).click();
    await user.main.getByRole('heading', { name: 'reserve' }).waitFor();
    await row.click();
    await user.main.getByRole('heading', { name: 'charge' }).waitFor();
    await user.see('Redacted');
    await user.see('HTTP 402 from the bank');
    await user.see(/attempt 2 failed/);
    await user.main.locator('.about').getByText('region:eu').click();
    await user.seeRows(5);
  });

  it('sees what an execution waits for, sends it a signal, and sees its end without a reload', async () => {
    const id = await world.waiting();
    await user.go(`t/acme/executions/${id}`);
    await user.page.getByRole('region', { name: 'Why it has not ended' }).waitFor();
    await user.button('Signal…').click();
    await user.dialog.getByLabel('Payload').fill('{ "ok": ');
    await user.button('Send').click();
    await user.dialog.getByRole('alert').waitFor();
    await user.dialog.getByLabel('Payload').fill('{ "ok": true }');
    await user.button('Send').click();
    await user.main.locator('h1 .s-Completed').waitFor();
    const { context } = (await world.acme.get(id))!;
    expect(context).toMatchObject({ answer: { ok: true }, paid: true });
  });

  it('pauses, resumes, cancels and retries an execution, with reasons', async () => {
    const id = await world.waiting();
    await user.go(`t/acme/executions/${id}`);
    await user.button('Pause…').click();
    await user.dialog.getByLabel('Reason').fill('audit');
    await user.button('Pause').click();
    await user.main.locator('h1 .s-Paused').waitFor();
    await user.button('Resume').click();
    await user.button('Pause…').waitFor();
    await user.button('Cancel…').click();
    await user.dialog.getByLabel('Reason').fill('not needed');
    await user.button('Cancel execution').click();
    await user.main.locator('h1 .s-Cancelled').waitFor();
    await user.see(/Cancelled: not needed/);
    await user.button('Retry…').click();
    await user.button('Retry').click();
    await user.main.locator('h1 .s-Running').waitFor();
    const told = (await world.acme.history(id))!.flatMap((entry) =>
      'actor' in entry ? [[entry.type, entry.actor]] : [],
    );
    expect(told).toEqual(
      expect.arrayContaining([
        ['execution.paused', 'ann'],
        ['execution.resumed', 'ann'],
        ['execution.retried', 'ann'],
      ]),
    );
    await world.acme.cancel(id);
  });

  it('goes through the items of a map, and from a parent to its children and back', async () => {
    const { id } = await world.acme.execute(imported, { rows: 210 }, { settled: true });
    await user.go(`t/acme/executions/${id}`);
    await user.main.locator('.graph .node', { hasText: 'store' }).click();
    await user.see('208 of 210 items');
    const items = user.main.locator('.items li');
    await items.nth(1).waitFor();
    await user.main.getByLabel('Items', { exact: true }).selectOption('Completed');
    await items.filter({ hasText: '#19' }).waitFor();
    await user.button('Next items').click();
    await items.filter({ hasText: '#40' }).locator('summary').click();
    await user.see('"stored": 40');

    const family = await world.acme.execute(group, {}, { settled: true });
    await user.go(`t/acme/executions/${family.id}`);
    await user.main.locator('.children a').first().click();
    await user.main.locator('.about', { hasText: 'Parent' }).getByRole('link').first().click();
    await user.heading('reconcile-group').waitFor();
  });

  it('retries a group of failures, after a count', async () => {
    await user.go('failures');
    await user.main.locator('.group').filter({ hasText: 'globex' }).waitFor();
    const failures = user.main.locator('.group').filter({ hasText: 'charge' });
    await failures.getByRole('link', { name: 'acme' }).click();
    await user.see('Only tenant');
    await user.main.locator('.group').filter({ hasText: 'globex' }).waitFor({ state: 'detached' });
    await failures.getByRole('button', { name: 'Retry all…' }).click();
    await user.button('Retry 2 executions').click();
    await user.dialog.getByText('2 changed.').waitFor();
    const history = await world.acme.history(failedId);
    expect(history!.map(({ type }) => type)).toContain('execution.retried');
  });

  it('runs a schedule now, pauses, resumes and backfills it', async () => {
    await user.go('t/acme/schedules');
    await user.main.getByRole('link', { name: 'nightly-orders' }).click();
    await user.button('Run now').click();
    await user.main.locator('td').getByText('manual').waitFor();
    await user.button('Pause…').click();
    await user.dialog.getByLabel('Reason').fill('holiday');
    await user.button('Pause').click();
    await user.main.locator('h1 .schedule.paused').waitFor();
    await user.see('holiday');
    await user.button('Resume…').click();
    await user.button('Resume').click();
    await user.main.locator('h1 .schedule.active').waitFor();
    await user.button('Backfill…').click();
    await user.dialog.getByLabel('From').fill('2020-01-01T00:00');
    await user.dialog.getByLabel('To', { exact: true }).fill('2020-01-04T00:00');
    await user.button('Backfill').click();
    await user.page.getByText('Started executions: 3.').waitFor();
    await user.button('Backfill…').click();
    await user.dialog.getByLabel('From').fill('2020-02-01T00:00');
    await user.dialog.getByLabel('To', { exact: true }).fill('2020-02-03T00:00');
    await user.dialog.getByLabel('Overlap').selectOption('Each cancels the one before');
    await user.button('Backfill').click();
    await user.page.getByText('Started executions: 2.').waitFor();
    expect(await world.acme.schedules.get('nightly-orders')).toMatchObject({ state: 'active' });
  });

  it('sees a workflow with its graph, pauses and resumes it', async () => {
    await user.go('t/acme/workflows');
    await user.main.getByRole('link', { name: 'import-airports' }).click();
    await user.main.locator('.graph .node').nth(2).waitFor();
    await user.button('Pause…').click();
    await user.dialog.getByLabel('Reason').fill('new rates');
    await user.button('Pause').click();
    await user.see(/new rates/);
    expect(await world.acme.pausedWorkflows()).toMatchObject([{ reason: 'new rates' }]);
    await user.button('Resume').click();
    await user.button('Pause…').waitFor();
    expect(await world.acme.pausedWorkflows()).toEqual([]);
    await user.main.getByRole('link', { name: 'Executions' }).click();
    await user.heading('Executions').waitFor();
  });

  it('sees who did what to a workflow and a schedule, from their pages and from an execution', async () => {
    await user.go('t/acme/workflows/import-airports');
    await user.main.getByRole('link', { name: 'Actions' }).click();
    await user.heading('Actions').waitFor();
    await user.seeRows(2);
    await user.see('Paused the workflow');
    await user.see('new rates');
    await user.main.getByRole('link', { name: 'Show all' }).click();
    await user.see('Ran the schedule now');
    await user.main.getByRole('searchbox', { name: 'User' }).fill('bob');
    await user.press('Enter');
    await user.see('No action matches');
    await user.main.getByRole('searchbox', { name: 'User' }).fill('ann');
    await user.press('Enter');
    await user.rows.first().waitFor();
    await user.main.getByRole('searchbox', { name: 'Workflow or schedule' }).fill('nightly-orders');
    await user.press('Enter');
    await user.see('Ran the schedule now');
    expect(user.page.url()).toContain('actor=ann&subject=nightly-orders');
    await user.rows.filter({ hasText: 'Ran the schedule now' }).getByRole('link').last().click();
    await user.heading('order-fulfilment').waitFor();
    await user.main.getByRole('link', { name: 'Actions on the workflow' }).click();
    await user.see('No action matches');
    expect(user.page.url()).toContain('subject=order-fulfilment');
  });

  it('sees the versions of a workflow, and how much still runs on each', async () => {
    await user.go('t/acme/workflows/order-fulfilment');
    const versions = user.main.getByRole('region', { name: 'Versions' });
    await versions.getByText('newest').waitFor();
    expect(await versions.locator('tbody tr').count()).toBe(1);
    const cells = versions.locator('tbody td');
    await cells.nth(2).locator('time').waitFor();
    expect(await cells.nth(1).textContent()).toBe('0');
  });

  it('searches tenants, goes to another one, and sees limits and processes', async () => {
    await user.go('tenants');
    await user.seeRows(2);
    await user.main.getByRole('searchbox', { name: 'Search tenants' }).fill('glo');
    await user.press('Enter');
    await user.seeRows(1);
    await user.main.getByRole('link', { name: 'globex' }).click();
    await user.heading('Executions').waitFor();
    await user.seeRows(1);
    const tenant = user.page.getByRole('navigation').getByLabel('Tenant');
    expect(await tenant.inputValue()).toBe('globex');
    await tenant.selectOption('acme');
    await user.rows.nth(4).waitFor();
    await user.page.getByRole('navigation').getByRole('link', { name: 'Limits' }).click();
    await user.see('bank');
    await user.page.getByRole('navigation').getByRole('link', { name: 'Processes' }).click();
    await user.see('this one');
    await user.see(/order-fulfilment|expense-approval/);
  });

  it('has no stream in a hidden page, which catches up when it is seen again', async () => {
    const { page } = user;
    /** As the browser does when the user chooses another tab: a headless one shows all of them. */
    const show = (isHidden: boolean): Promise<unknown> =>
      page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, value: ${isHidden} });
        document.dispatchEvent(new Event('visibilitychange'))`);
    await user.go('t/globex/executions');
    await user.seeRows(1);
    const closed = page.waitForEvent('requestfailed', {
      predicate: (request) => request.url().endsWith('/api/events'),
    });
    await show(true);
    await closed;
    await world.globex.execute(order, { customer: 'c', card: '1', total: 1 }, { settled: true });
    const opened = page.waitForRequest('**/api/events');
    await show(false);
    await opened;
    await user.seeRows(2);
  });

  it('sees moving numbers by polling while there is no stream', async () => {
    await user.context.route('**/api/events', (route) => route.abort());
    await user.go('');
    await user.main.locator('.live.polling').waitFor();
    const completed = user.main.locator('.tile.s-Completed b');
    const before = await completed.innerText();
    await world.acme.execute(order, { customer: 'c-1', card: '1', total: 1 }, { settled: true });
    // The number before may lack the last of the other tests, so it may rise by more than one.
    await completed.filter({ hasNotText: new RegExp(`^${before}$`) }).waitFor();
    await user.context.unroute('**/api/events');
    // Chromium says of each aborted call that it failed.
    expect(user.complaints.splice(0)).not.toEqual([]);
  });
});
