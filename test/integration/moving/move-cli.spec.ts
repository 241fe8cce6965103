import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startChild } from '../../support/child-process.js';
import { runCli } from '../../support/run-cli.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { contentsOf, expectSame, onDatabase, stateOf } from './compare.js';
import { makeTenant } from './make-tenant.js';
import { CreateShop1700000000000, SHOP_ROWS } from './shop.js';

const PHASES = [
  'Preparing',
  'Copying',
  'Copying what has changed',
  'Waiting for running tasks',
  'Carrying the last changes over',
  'Switching',
  'Checking foreign keys',
];

let eu = '';
let us = '';
let folder = '';
beforeAll(async () => {
  [eu, us, folder] = await Promise.all([
    scratchDatabase(),
    scratchDatabase(),
    mkdtemp(path.join(tmpdir(), 'cloacina-cli-')),
  ]);
});
afterAll(() => rm(folder, { recursive: true }));

const env = (): Record<string, string> => ({ CLOACINA_SERVERS: `eu=${eu},us=${us}` });

/** A module with the migrations of the shop, as an application builds one. */
async function migrationsFile(name: string, exported: string): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(
    file,
    `class CreateShop1700000000000 {
       name = 'CreateShop1700000000000';
       ${CreateShop1700000000000.prototype.up.toString()}
       async down() {}
     }
     ${exported}`,
  );
  return file;
}

const makeShop = async (): Promise<string> => {
  const schema = await makeTenant(eu, [CreateShop1700000000000]);
  await onDatabase(eu, schema, (client) => client.query(SHOP_ROWS));
  return schema;
};

describe('the command "tenants move", in a process of its own', () => {
  it.each([
    ['migrations.mjs', 'export const migrations = [CreateShop1700000000000];'],
    ['migrations.cjs', 'module.exports = { CreateShop1700000000000 };'],
  ])(
    'moves the tables of --migrations %s, and prints a line for each phase',
    async (name, exported) => {
      const schema = await makeShop();
      const before = await contentsOf(eu, schema);
      const file = await migrationsFile(name, exported);
      const child = startChild(new URL('../../../lib/cli/bin.ts', import.meta.url), {
        args: ['tenants', 'move', schema, '--to', 'us', '--migrations', file],
        env: env(),
      });
      expect(await child.exit).toEqual({ code: 0, signal: null });
      const lines = child.output.trim().split('\n');
      const told = lines.map((line) => line.replace(/: \d+ of \d+ tables, \d+\.\d MiB$/, ''));
      const shown = told.filter((line, n) => line !== told[n - 1]);
      expect(shown.filter((line) => PHASES.includes(line))).toEqual(PHASES);
      expect(lines.filter((line) => line.startsWith('Copying:')).length).toBeLessThanOrEqual(10);
      expect(child.output).toContain(`Moved schema "${schema}" from server "eu" to "us"`);
      expectSame(await contentsOf(us, schema), before);
    },
    120_000,
  );
});

it('the command "tenants move" shows a bar on a terminal', async () => {
  const schema = await makeTenant(eu, []);
  const { code, stderr, stdout } = await runCli(['tenants', 'move', schema, '--to', 'us'], {
    env: env(),
    keys: '',
  });
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringContaining(`Moved schema "${schema}"`),
  });
  const shown = stripVTControlCharacters(stderr);
  // Each is drawn over the one before, and the fast ones may be drawn over before they are seen.
  expect(shown).toContain('━');
  expect(shown).toContain('Checking foreign keys');
  expect(await stateOf(us, schema)).toBe('live');
}, 120_000);

describe('--migrations', () => {
  it.each([
    ['a file that is not there', 'missing.mjs', undefined, /Cannot find module/],
    ['a module without a migration', 'none.mjs', 'export const one = 1;', /exports no migration/],
  ])(
    '%s is a wrong call',
    async (_, name, text, message) => {
      const schema = await makeTenant(eu, [CreateShop1700000000000]);
      const file = path.join(folder, name);
      if (text !== undefined) await writeFile(file, text);
      const moved = await runCli(['tenants', 'move', schema, '--to', 'us', '--migrations', file], {
        env: env(),
      });
      expect(moved).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
      expect(await stateOf(us, schema)).toBeUndefined();
    },
    60_000,
  );
});
