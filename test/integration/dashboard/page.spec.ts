import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { hasBrowser, MISSING_BROWSER, openBrowser } from '../../support/browser.js';
import { approval, HOSTILE, hostile, imported, order } from './page-workflows.js';
import { Served, UserGuard } from './served.js';

/** Where to put a picture of each view. Nothing is put anywhere without it. */
const PICTURES = process.env['CLOACINA_PICTURES'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const describeInBrowser = hasBrowser ? describe : describe.skip;
/** As it stands in JSON, without quotes. */
const MARKUP = '<script>document.title=1</script>';
if (!hasBrowser) process.stderr.write(`${MISSING_BROWSER}\n`);

function buildPage(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'cloacina-built-page-'));
  execFileSync(process.execPath, ['scripts/page.mjs', folder]);
  return folder;
}

describeInBrowser('the page of the dashboard', () => {
  let served: Served;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let acme: CloacinaRunner;
  let folder: string;
  let failedId: string;
  let waitingId: string;
  let hostileId: string;
  /** What the browser complained of: errors of scripts, and violations of the policy. */
  const complaints: string[] = [];

  beforeAll(async () => {
    folder = buildPage();
    served = await Served.start(
      'Express',
      { path: 'ops/cloacina', guards: [UserGuard], actor: () => 'ann', redact: ['card'] },
      [order, approval, imported, hostile],
      folder,
    );
    acme = served.app.get(CloacinaTenants).get('acme').runner;
    const globex = served.app.get(CloacinaTenants).get('globex').runner;
    const started = await Promise.all(
      [40, 1_200, 75, 2_000, 99].map((total) =>
        acme.execute(
          order,
          { customer: 'c-7', card: '4242', total },
          { settled: true, tags: { region: 'eu' } },
        ),
      ),
    );
    failedId = started.find(({ status }) => status === 'Failed')!.id;
    await globex.execute(order, { customer: 'c-8', card: '4242', total: 5_000 }, { settled: true });
    await acme.execute(imported, { rows: 60 }, { settled: true });
    const large = Array.from({ length: 90_000 }, (_, no) => `line ${no} of a text that is large`);
    const text = { text: HOSTILE, rtl: 'שלום עולם \u202E txt.exe', large };
    ({ id: hostileId } = await acme.execute(hostile, text, { tags: { note: 'x'.repeat(200) } }));
    ({ id: waitingId } = await acme.start(approval, { amount: 120 }));
    await acme.schedules.create(
      'nightly-orders',
      order,
      { cron: '0 3 * * *', timezone: 'Europe/Lisbon' },
      {
        customer: 'c-1',
        card: '4242',
        total: 1,
      },
    );
    browser = await openBrowser();
    context = await browser.newContext({
      extraHTTPHeaders: { 'x-user': 'ann' },
      viewport: { width: 1440, height: 900 },
    });
    page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.setDefaultTimeout(60_000);
  });
  afterAll(async () => {
    await browser?.close();
    await served?.app.close();
  });

  const go = (place: string): Promise<unknown> => page.goto(`${served.origin}/${place}`);
  const see = (text: string | RegExp): Promise<void> =>
    page.locator('main').getByText(text).filter({ visible: true }).first().waitFor();

  /** Rules of WCAG 2.2 AA that the view breaks. */
  async function findings(): Promise<string[]> {
    // Evaluated by the debugger, which the policy of the page does not bind.
    return page.evaluate(`${AXE};
      axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) =>
        violations.flatMap(({ id, nodes }) => nodes.map(({ html, any }) => id + ': ' + html.slice(0, 200) + ' ' + (any[0]?.message ?? ''))))`);
  }

  async function pictures(name: string): Promise<void> {
    if (PICTURES === undefined) return;
    mkdirSync(PICTURES, { recursive: true });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [1440, 390]) {
        await page.setViewportSize({ width, height: 900 });
        await page.evaluate(
          'new Promise((done) => requestAnimationFrame(() => setTimeout(done, 250)))',
        );
        await page.screenshot({
          path: path.join(PICTURES, `${name}-${colorScheme}-${width}.png`),
          fullPage: width === 390,
        });
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.emulateMedia({ colorScheme: null });
  }

  it('loads less than 300 KB before it shows something', () => {
    const assets = path.join(folder, 'assets');
    const sizes = readdirSync(assets).map(
      (name) => gzipSync(readFileSync(path.join(assets, name))).length,
    );
    const sum = sizes.reduce((total, size) => total + size, 0);
    expect([sizes.length, sum > 20_000, sum < 300_000]).toEqual([4, true, true]);
  });

  it.each<[string, () => string, string | RegExp]>([
    ['overview', () => '', 'Oldest due task'],
    ['executions', () => 't/acme/executions', 'expense-approval'],
    ['execution-failed', () => `t/acme/executions/${failedId}`, 'HTTP 402 from the bank'],
    ['execution-waiting', () => `t/acme/executions/${waitingId}`, /signal/],
    ['execution-hostile', () => `t/acme/executions/${hostileId}`, MARKUP],
    ['failures', () => 'failures', /was refused/],
    ['schedules', () => 't/acme/schedules', 'nightly-orders'],
    ['schedule', () => 't/acme/schedules/nightly-orders', 'Next firings'],
    ['workflows', () => 't/acme/workflows', 'import-airports'],
    ['workflow', () => 't/acme/workflows/order-fulfilment', 'Graph'],
    ['limits', () => 't/acme/limits', /By name and key/],
    ['tenants', () => 'tenants', 'globex'],
    ['processes', () => 'processes', 'takes tasks'],
  ])(
    'shows %s without findings of axe, in both themes and at 390 pixels',
    async (name, place, text) => {
      await go(place());
      await see(text);
      if (/^(execution-|workflow$)/.test(name))
        await page.locator('.graph .node').first().waitFor();
      const found: Record<string, string[]> = {};
      for (const [colorScheme, width] of [
        ['light', 1440],
        ['dark', 1440],
        ['light', 390],
      ] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 900 });
        const broken = await findings();
        const isWide = await page.evaluate<boolean>(
          'document.documentElement.scrollWidth > innerWidth',
        );
        if (isWide) broken.push(`wider than ${width} pixels`);
        if (broken.length > 0) found[`${colorScheme} ${width}`] = broken;
      }
      await page.setViewportSize({ width: 1440, height: 900 });
      await pictures(name);
      expect([found, complaints]).toEqual([{}, []]);
    },
  );

  it('shows what handlers wrote as text, and large values a part at a time', async () => {
    await go(`t/acme/executions/${hostileId}`);
    await see(MARKUP);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.title()).not.toBe('1');
    await page.getByRole('button', { name: /Show all .* MB/ }).click();
    await page.getByRole('button', { name: /more of 90,002 lines/ }).waitFor();
  });

  it('finds executions by status, workflow, tag and id', async () => {
    await go('t/acme/executions');
    const rows = page.locator('main tbody tr');
    await page.getByRole('button', { name: 'Failed', exact: false }).click();
    await page.getByLabel('Workflow').selectOption('order-fulfilment');
    await expectCount(rows, 2);
    expect(page.url()).toContain('status=Failed&workflow=order-fulfilment');
    await page.getByRole('searchbox', { name: 'Tag' }).fill('region:mars');
    await page.keyboard.press('Enter');
    await see('No execution matches.');
    await page.getByRole('searchbox', { name: 'Id or idempotency key' }).fill(failedId);
    await page.keyboard.press('Enter');
    await see('HTTP 402 from the bank');
  });

  it('sends a signal with a payload, and shows the end without a reload', async () => {
    await go(`t/acme/executions/${waitingId}`);
    await page.getByRole('button', { name: 'Signal…' }).click();
    await page.getByLabel('Payload').fill('{ "ok": true }');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('h1 .s-Completed').waitFor();
    const { context: values } = (await acme.get(waitingId))!;
    expect(values).toMatchObject({ answer: { ok: true }, paid: true });
  });

  it('pauses, resumes and cancels by the keyboard alone', async () => {
    const { id } = await acme.start(approval, { amount: 1 });
    await go(`t/acme/executions/${id}`);
    await page.locator('h1 .status').waitFor();
    await page.locator('.graph .node').first().waitFor();
    await page.keyboard.press('p');
    await page.getByLabel('Reason').focus();
    await page.keyboard.type('audit');
    await page.keyboard.press('Enter');
    await page.locator('h1 .s-Paused').waitFor();
    expect((await acme.get(id))!.reason).toBe('audit');
    await page.keyboard.press('u');
    await page.getByRole('button', { name: 'Pause…' }).waitFor();
    await page.keyboard.press('c');
    await page.getByLabel('Reason').focus();
    await page.keyboard.type('not needed');
    await page.keyboard.press('Enter');
    await page.locator('h1 .s-Cancelled').waitFor();
    await see(/not needed/);
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('f');
    await page.getByRole('heading', { name: 'Failures' }).waitFor();
  });

  it('counts a group of failures before it is retried', async () => {
    await go('failures?tenant=acme');
    const group = page.locator('.group').filter({ hasText: 'charge' });
    await group.getByRole('button', { name: 'Retry all…' }).click();
    await page.getByRole('button', { name: 'Retry 2 executions' }).click();
    await page.getByRole('dialog').getByText('2 changed.').waitFor();
    const history = await acme.history(failedId);
    expect(history!.map(({ type }) => type)).toContain('execution.retried');
  });

  it('counts a bulk action, and asks before it cancels', async () => {
    const open = await Promise.all(
      [1, 2, 3].map((amount) => acme.start(approval, { amount }, { tags: { batch: 'b1' } })),
    );
    await go('t/acme/executions?tag=batch:b1');
    await expectCount(page.locator('main tbody tr'), 3);
    await page.getByRole('button', { name: 'Cancel all…' }).click();
    await page.getByRole('button', { name: 'Cancel 3 executions' }).click();
    await page.getByRole('dialog').getByText('3 changed.').waitFor();
    const states = await Promise.all(open.map(async ({ id }) => (await acme.get(id))!.status));
    expect(states).toEqual(['Cancelled', 'Cancelled', 'Cancelled']);
  });

  it('runs a schedule now, and pauses it', async () => {
    await go('t/acme/schedules/nightly-orders');
    await page.getByRole('button', { name: 'Run now' }).click();
    await page.locator('main td').getByText('manual').waitFor();
    await page.getByRole('button', { name: 'Pause…' }).click();
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.locator('h1 .schedule.paused').waitFor();
  });

  it('says what is wrong, and shows what it has once the server answers again', async () => {
    await context.route('**/api/failures*', (route) => route.abort());
    await go('failures');
    await see('The server does not answer.');
    await pictures('error');
    await context.unroute('**/api/failures*');
    // It tries again by itself, so there may be nothing to press any more.
    await page
      .getByRole('button', { name: 'Try again' })
      .click({ timeout: 1_000 })
      .catch(() => undefined);
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await go('t/acme/executions/00000000-0000-7000-8000-000000000000');
    await page.getByRole('alert').waitFor();
  });

  it('polls while there is no stream', async () => {
    await context.route('**/api/events', (route) => route.abort());
    await go('');
    await page.locator('main .live.polling').waitFor();
    await context.unroute('**/api/events');
  });
});

async function expectCount(rows: ReturnType<Page['locator']>, count: number): Promise<void> {
  await rows.nth(count - 1).waitFor();
  await rows.nth(count).waitFor({ state: 'detached' });
}
