import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { defineSignal } from '../../lib/discovery/message-definitions.js';
import { databaseUrl } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { openBrowser } from './chromium.js';
import { Visitor } from './visitor.js';
import { approval } from './workflows.js';
import { World } from './world.js';

/** More than pages count, and look at. */
const MANY = 10_500;

let world: World;
let browser: Browser;
let user: Visitor;
beforeAll(async () => {
  world = await World.start('Express', { servers: { north: { databaseUrl: databaseUrl() } } });
  const { globex } = world;
  // One that has completed, and behind it many that have not begun.
  const { id } = await globex.start(approval, { amount: 1 });
  await globex.signal(id, defineSignal('approval'), { ok: true });
  await waitFor(async () => (await globex.get(id))?.status === 'Completed');
  const inputs = Array.from({ length: MANY }, (_, amount) => ({ amount }));
  await globex.startMany(approval, inputs, { delay: '1d' });
  browser = await openBrowser();
  user = await Visitor.open(browser, world.url);
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});
afterEach(() => expect(user.complaints.splice(0)).toEqual([]));

it('a user sees where counts have stopped', async () => {
  await user.go('');
  await user.main.locator('.tile.s-Pending b').getByText('10,000+', { exact: true }).waitFor();
  await user.go('t/globex/executions?status=Pending');
  await user.seeRows(50);
  await user.button('Cancel all…').click();
  await user.button('Cancel 10,000+ executions').waitFor();
  await user.press('Escape');
});

it('a user goes on where the look at executions has ended', async () => {
  await user.go('t/globex/executions?workflow=expense-approval&status=Completed');
  await user.see(/No match among the executions that were looked at/);
  expect(await user.rows.count()).toBe(0);
  await user.button('Next →').click();
  await user.seeRows(1);
  expect(await user.button('Next →').isDisabled()).toBe(true);
  await user.button('← Previous').click();
  await user.see(/No match among/);
});

it('a user sees the server of each tenant', async () => {
  await user.go('tenants');
  await user.seeRows(2);
  await user.main.getByRole('columnheader', { name: 'Server' }).waitFor();
  expect(await user.rows.first().locator('td').nth(1).textContent()).toBe('north');
  await user.go('');
  await user.main.getByRole('columnheader', { name: 'Server' }).waitFor();
  await user.go('t/acme/executions');
  await user.see('acme is on server north');
});
