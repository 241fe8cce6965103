import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { startChild } from '../../support/child-process.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { stepping, type Point } from './stepping.js';
import type { SteppingSettings } from './stepping-process.js';

const STEPS = sized(20, 2);
const POINTS: readonly Point[] = ['step', 'transaction', 'between'];
const SCRIPT = new URL('stepping-process.ts', import.meta.url);
const folder = mkdtempSync(path.join(tmpdir(), 'cloacina-steps-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('A task whose process is killed at each point of each step repeats no step that was recorded', async () => {
  const schema = freshSchema();
  const log = path.join(folder, 'steps.log');
  writeFileSync(log, '');
  const definition = stepping(
    STEPS,
    (step) => appendFileSync(log, `${step}\n`),
    () => undefined,
  );
  const client = await openTenant([definition], { schema, maxConcurrentTasks: 0 });
  await client.query('CREATE TABLE effect (n integer)');
  const { id } = await client.runner.start(definition, {});

  for (let step = 1; step <= STEPS; step++) {
    for (const point of POINTS) {
      const settings: SteppingSettings = { schema, log, steps: STEPS, dieAt: [point, step] };
      const child = startChild(SCRIPT, { env: { STEPPING: JSON.stringify(settings) } });
      expect(await child.end()).toMatchObject({ signal: 'SIGKILL' });
    }
  }
  const last = await openTenant([definition], { schema });
  await last.runner.handle(id).result();

  const rows = await client.query<{ n: number }>('SELECT n FROM effect ORDER BY n');
  expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
  // Each plain step ran once more for the one kill before its record, and never after it.
  const ran = readFileSync(log, 'utf8').trim().split('\n').map(Number);
  expect(ran.toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: STEPS }, (_, i) => [i + 1, i + 1]).flat(),
  );
  // More processes were lost than a task may lose without progress.
  const lost = await client.query(`SELECT FROM cloacina_recovery_event WHERE kind = 'recovered'`);
  expect(lost).toHaveLength(STEPS * POINTS.length);
  const [task] = await client.query(
    'SELECT attempt, recovery_attempts FROM cloacina_task_execution',
  );
  expect(task).toMatchObject({ attempt: 0 });
});
