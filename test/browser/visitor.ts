import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** The themes and widths that each view is looked at in. */
export const LOOKS = [
  { colorScheme: 'light', width: 1440 },
  { colorScheme: 'dark', width: 1440 },
  { colorScheme: 'light', width: 390 },
  { colorScheme: 'dark', width: 390 },
] as const;

/** A user with a separate browser context: cookies, storage and pages are not shared. */
export class Visitor {
  /** Errors of scripts, violations of the policy, and files that were not found. */
  readonly complaints: string[] = [];
  /** The origins of all requests. */
  readonly origins = new Set<string>();

  private constructor(
    /** The address of the dashboard, without a slash at its end. */
    private readonly url: string,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.setDefaultTimeout(60_000);
    page.on('request', (request) => this.origins.add(new URL(request.url()).origin));
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  static async open(browser: Browser, url: string): Promise<Visitor> {
    const context = await browser.newContext({
      extraHTTPHeaders: { 'x-user': 'ann' },
      viewport: { width: 1440, height: 900 },
    });
    return new Visitor(url, context, await context.newPage());
  }

  async go(place: string): Promise<void> {
    await this.page.goto(`${this.url}/${place}`);
  }

  /** Waits for a text in the view. */
  async see(text: string | RegExp): Promise<void> {
    await this.main.getByText(text).filter({ visible: true }).first().waitFor();
  }

  get main(): Locator {
    return this.page.locator('main');
  }

  get rows(): Locator {
    return this.main.locator('tbody tr');
  }

  get dialog(): Locator {
    return this.page.getByRole('dialog');
  }

  heading(name: string): Locator {
    return this.page.getByRole('heading', { name, level: 1 });
  }

  button(name: string): Locator {
    return this.page.getByRole('button', { name, exact: true });
  }

  /** Waits until exactly this number of rows is shown. */
  async seeRows(count: number): Promise<void> {
    if (count > 0) await this.rows.nth(count - 1).waitFor();
    await this.rows.nth(count).waitFor({ state: 'detached' });
  }

  /** Presses keys one after the other. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Moves by the Tab key until an element has the focus, and it is seen that it has. */
  async tabTo(target: Locator): Promise<void> {
    await target.waitFor();
    const focused = target.and(this.page.locator(':focus'));
    for (let presses = 0; presses < 120; presses++) {
      if ((await focused.count()) > 0) return await this.seeFocus(target);
      await this.press('Tab');
    }
    throw new Error(`The Tab key does not lead to ${String(target)}`);
  }

  private async seeFocus(target: Locator): Promise<void> {
    // Nodes of graphs have a stroke in place of an outline.
    const isSeen = await this.page.evaluate<boolean>(
      `[document.activeElement, ...document.activeElement.querySelectorAll('rect')].some((part) => {
        const { outlineStyle, strokeWidth } = getComputedStyle(part);
        return outlineStyle !== 'none' || parseFloat(strokeWidth) > 2;
      })`,
    );
    if (!isSeen) throw new Error(`It is not seen that ${String(target)} has the focus`);
  }

  async look({ colorScheme, width }: { colorScheme: 'light' | 'dark'; width: number }) {
    await this.page.emulateMedia({ colorScheme });
    await this.page.setViewportSize({ width, height: 900 });
    // Charts and graphs are drawn again for a new width.
    await this.page.evaluate(
      'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))',
    );
  }

  /** Rules of WCAG 2.2 AA that the view breaks, and whether the page scrolls sideways. */
  async findings(): Promise<string[]> {
    // Evaluated by the debugger, which the policy of the page does not bind.
    const broken = await this.page.evaluate<string[]>(`${AXE};
      axe.run(document, { runOnly: ${JSON.stringify(RULES)} }).then(({ violations }) =>
        violations.flatMap(({ id, nodes }) =>
          nodes.map(({ html, any }) => id + ': ' + html.slice(0, 200) + ' ' + (any[0]?.message ?? ''))))`);
    const isWide = await this.page.evaluate<boolean>(
      'document.documentElement.scrollWidth > innerWidth',
    );
    return isWide ? [...broken, 'wider than the window'] : broken;
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
