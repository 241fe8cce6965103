import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { connectAdmin } from '../../support/postgres.js';
import { killBoots, StoppingDatabase, wholeShape } from './killed-migrations.js';
import { killedBefore } from './stepwise.js';

/** Points of each kind. `test/faults/killed-migrations.spec.ts` has them all. */

let admin: Client;
let stopping: StoppingDatabase;
beforeAll(async () => {
  admin = await connectAdmin();
  stopping = await StoppingDatabase.create();
});
afterAll(async () => {
  await stopping.drop();
  await admin.end();
});

test('a process that is killed in its migration leaves what the next boot finishes', async () => {
  const points = [
    killedBefore('pg_advisory_xact_lock'),
    killedBefore('cloacina_task_execution'),
    killedBefore('COMMIT'),
  ];
  const texts = await killBoots(points, admin, await wholeShape(admin));
  expect(texts).toHaveLength(points.length);
});

test.each([1, 30])(
  'a session that the server ends at command %i within a statement leaves what the next boot finishes',
  async (command) => {
    expect(await stopping.loseSessionAt(command)).toBe(true);
  },
);

test('a process that is killed during a command leaves no trace', async () => {
  await stopping.killProcessAt(30);
});
