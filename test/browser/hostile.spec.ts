import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { openBrowser } from './chromium.js';
import { Visitor } from './visitor.js';
import { ENDLESS, RIGHT_TO_LEFT } from './workflows.js';
import { World } from './world.js';

/** In messages of groups, numbers are left out. */
const MARKUP = /<script>document\.title=/;

let world: World;
let browser: Browser;
let user: Visitor;
let id: string;
beforeAll(async () => {
  world = await World.start('Express');
  id = await world.hostile();
  browser = await openBrowser();
  user = await Visitor.open(browser, world.url);
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

it.each([
  ['an execution', () => `t/acme/executions/${id}`],
  ['the list', () => 't/acme/executions'],
  ['the failures', () => 'failures'],
])('markup in %s is shown as text, and runs nothing', async (_name, place) => {
  await user.go(place());
  await user.see(MARKUP);
  expect(await user.main.locator('img, script').count()).toBe(0);
  expect(await user.page.title()).not.toBe('1');
  expect(user.complaints).toEqual([]);
});

it('a name and a message of 10,000 characters are cut, and do not widen the page', async () => {
  for (const place of [`t/acme/executions/${id}`, 't/acme/executions', 'failures']) {
    await user.go(place);
    await user.see(MARKUP);
    for (const width of [1440, 390]) {
      await user.look({ colorScheme: 'light', width });
      const wide = await user.page.evaluate<boolean>(
        'document.documentElement.scrollWidth > innerWidth',
      );
      expect([place, width, wide]).toEqual([place, width, false]);
    }
    expect((await user.main.innerText()).includes(ENDLESS.slice(0, 5_000))).toBe(false);
  }
  await user.look({ colorScheme: 'light', width: 1440 });
  await user.go(`t/acme/executions/${id}`);
  await user.main
    .getByRole('button', { name: /Show all 10,\d\d\d characters/ })
    .first()
    .click();
  await user.button('Show less').waitFor();
});

it('text of the other direction stays in its place', async () => {
  await user.go(`t/acme/executions/${id}`);
  const hebrew = RIGHT_TO_LEFT.slice(0, 4);
  await user.main.locator('.values pre', { hasText: hebrew }).first().waitFor();
  // Each element that has such text in itself is isolated from what is beside it.
  const open = await user.page.evaluate<string[]>(
    `[...document.querySelectorAll('main *')]
      .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.includes('${hebrew}')))
      .filter((element) => element.closest('bdi') === null && getComputedStyle(element).unicodeBidi !== 'plaintext')
      // The tooltips of drawings have no markup: characters isolate in them.
      .filter((element) => !/\u2068[^\u2069]*${hebrew}/.test(element.textContent))
      .map((element) => element.outerHTML.slice(0, 100))`,
  );
  expect(open).toEqual([]);
});

it('5 MB of JSON are shown a part at a time', async () => {
  await user.go(`t/acme/executions/${id}`);
  await user.main.getByRole('button', { name: /Show all 5\.\d MB/ }).click();
  await user.main.getByRole('button', { name: /2,000 more of 130,002 lines/ }).click();
  await user.see(/line 2000 of a value/);
  const shown = await user.main.innerText();
  expect(shown.length).toBeLessThan(200_000);
});
