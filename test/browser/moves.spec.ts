import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { CloacinaTenants } from '../../lib/tenants/hosting/cloacina-tenants.js';
import { PlainMove } from '../integration/fleet/plain-move.js';
import { databaseUrl } from '../support/postgres.js';
import { scratchDatabase } from '../support/scratch-database.js';
import { openBrowser } from './chromium.js';
import { expectAccessible } from './expect-accessible.js';
import { Visitor } from './visitor.js';
import { World } from './world.js';

let world: World;
let browser: Browser;
let user: Visitor;
let move: PlainMove;
beforeAll(async () => {
  const [here, there] = [databaseUrl(), await scratchDatabase()];
  const servers = { north: { databaseUrl: here }, south: { databaseUrl: there } };
  world = await World.start('Express', { servers });
  await world.waiting();
  const { schema } = world.app.get(CloacinaTenants).get('acme');
  const ends = [
    { server: 'north', url: here },
    { server: 'south', url: there },
  ] as const;
  move = await PlainMove.open(schema, ...ends);
  browser = await openBrowser();
  user = await Visitor.open(browser, world.url);
});
afterAll(async () => {
  await browser?.close();
  await move?.close();
  await world?.close();
});

it('a user sees where a tenant is, that it moves, and what to do when its move is interrupted', async () => {
  await user.go('t/acme/executions');
  await user.see('acme is on server north');
  await expectAccessible(user, 'tenant-on-server');
  await move.begin();
  // By the stream alone.
  await user.main.getByText(/^acme is on server north, and moves to south/).waitFor();
  await user.see('Its rows are copied, and it works as usual.');
  await expectAccessible(user, 'tenant-moving');
  await user.go('tenants');
  await user.rows.filter({ hasText: 'moves to south' }).waitFor();
  await expectAccessible(user, 'tenants-moving');

  await move.stop(600_000);
  await move.close();
  await user.rows.filter({ hasText: 'stands still. Its processes undo the stop' }).waitFor();
  await expectAccessible(user, 'tenants-interrupted');
  await user.tabTo(user.rows.first().getByRole('link').first());
  await user.press('Enter');
  await user.main.getByRole('alert').getByText('Its move to server "south"').waitFor();
  await user.tabTo(user.main.getByText('How to go on'));
  await user.press('Enter');
  await user.see("tenants.move('acme', { to: 'south' })");
  await expectAccessible(user, 'tenant-interrupted');

  await world.app.get(CloacinaTenants).move('acme', { to: 'south' });
  await user.see('acme is on server south');
  await user.main.getByRole('alert').waitFor({ state: 'detached' });
  await user.see('copy left on north');
  await expectAccessible(user, 'tenant-moved');
  expect(user.complaints).toEqual([]);
}, 300_000);
