import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import {
  killBoots,
  killMoves,
  StoppingDatabase,
  wholeShape,
} from '../integration/migrations/killed-migrations.js';
import {
  createScratchDatabase,
  type ScratchDatabase,
} from '../integration/migrations/scratch-database.js';
import { everyStatement } from '../integration/migrations/stepwise.js';
import { connectAdmin } from '../support/postgres.js';

/** Migrations and moves that end at every point there is. `npm test` has a few of them. */

let admin: Client;
let database: ScratchDatabase;
beforeAll(async () => {
  admin = await connectAdmin();
  database = await createScratchDatabase();
});
afterAll(async () => {
  await database.drop();
  await admin.end();
});

test('a process that is killed before any of its statements leaves what the next boot finishes', async () => {
  const texts = await killBoots(everyStatement(), admin, await wholeShape(admin));
  // It was killed within the transaction, at its first and last statement too.
  const begin = texts.findIndex((text) => text.includes('START TRANSACTION'));
  const tables = texts.findIndex((text) => text.includes('cloacina_task_execution'));
  const commit = texts.indexOf('COMMIT');
  expect(begin).toBeGreaterThan(0);
  expect(tables).toBeGreaterThan(begin);
  expect(commit).toBeGreaterThan(tables);
  expect(texts.slice(begin, commit).join()).toMatch(/pg_advisory_xact_lock.*CREATE SCHEMA/s);
}, 600_000);

test('a move whose process is killed before any of its statements leaves it all on one side', async () => {
  const texts = await killMoves(everyStatement(), database);
  expect(texts.findIndex((text) => text.includes('SET SCHEMA'))).toBeGreaterThan(0);
  expect(texts.at(-1)).toBe('COMMIT');
}, 600_000);

describe('at every single DDL command within a statement', () => {
  let stopping: StoppingDatabase;
  beforeAll(async () => {
    stopping = await StoppingDatabase.create();
  });
  afterAll(() => stopping.drop());

  test('a session that the server ends leaves what the next boot finishes', async () => {
    let command = 1;
    while (await stopping.loseSessionAt(command)) command++;
    expect(command).toBeGreaterThan(50);
  }, 600_000);

  test.each([1, 4, 30])('a process that is killed during command %i leaves no trace', (command) =>
    stopping.killProcessAt(command),
  );
});
