import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { Failpoint } from '../../faults/workload/failpoints.js';
import { startChild } from '../../support/child-process.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { pairs, sized } from '../../support/sizes.js';
import { ITEMS, mapping } from './mapping.js';
import type { MappingSettings } from './mapping-process.js';

const SCRIPT = new URL('mapping-process.ts', import.meta.url);
const folder = mkdtempSync(path.join(tmpdir(), 'cloacina-mapping-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What only one statement of the library has in its text. */
const STATEMENTS = {
  state: 'i.item_no = -t.item_count',
  append: 'coalesce(t.item_count, 0)',
  read: 't.item AS "item"',
  end: 'ended_batch AS (',
  cancelItems: 'c.count > 0',
} as const;
type Name = keyof typeof STATEMENTS;
const points = (...names: Name[]): [string, Failpoint, Name][] =>
  pairs(names, ['before', 'sent', 'after'] as const).map(([name, at]) => [
    `${at} ${name}`,
    { at, statement: STATEMENTS[name] },
    name,
  ]);
/** In `npm test`, items are stored in two parts where a process is killed as it stores them. */
const itemsOf = (name: Name): number => sized(ITEMS, name === 'append' ? ITEMS : 500);

let files = 0;
interface Scene {
  readonly schema: string;
  readonly log: string;
  readonly client: OpenTenant;
  readonly id: string;
}

/** An execution that is started and not claimed yet. */
async function scene(workflow: string, input = {}): Promise<Scene> {
  const log = path.join(folder, `${++files}.log`);
  writeFileSync(log, '');
  const schema = freshSchema();
  const options = { schema, maxConcurrentTasks: 0, leaseDurationMs: 3_000 };
  const client = await openTenant(
    mapping(() => undefined),
    options,
  );
  const { id } = await client.runner.start(workflow, input);
  return { schema, log, client, id };
}

/** A process that runs the tasks, in this one, with slots for all items that wait for the failure of another one. */
const survivor = ({ schema, log }: Scene): Promise<OpenTenant> =>
  openTenant(
    mapping((what) => writeFileSync(log, `${what}\n`, { flag: 'a' })),
    { schema, leaseDurationMs: 3_000, maxConcurrentTasks: 250, processTasks: 250 },
  );

async function killed({ schema, log }: Scene, failpoint: Failpoint): Promise<void> {
  const settings: MappingSettings = { schema, log, failpoint };
  const child = startChild(SCRIPT, { env: { MAPPING: JSON.stringify(settings) } });
  expect(await child.end()).toMatchObject({ signal: 'SIGKILL' });
}

describe('A process that is killed', () => {
  test.each(points('state', 'append', 'read', 'end'))(
    '%s: each item is stored once, has one outcome, and the map is joined once',
    async (_, failpoint, name) => {
      const count = itemsOf(name);
      const at = await scene('mapped', { count });
      await killed(at, failpoint);
      await survivor(at);
      const { context } = await at.client.runner.handle(at.id).result();
      expect(context).toMatchObject({
        each: { total: count, completed: count, failed: 0, cancelled: 0 },
        sum: (count * (count - 1)) / 2,
      });
      const items: unknown[] = [];
      for await (const { item } of at.client.runner.results(at.id, 'each')) items.push(item);
      expect(items).toEqual(Array.from({ length: count }, (__, n) => n));
      const ended = readFileSync(at.log, 'utf8').trim().split('\n');
      expect(new Set(ended).size).toBe(count + 1);
      expect(ended.filter((what) => what === 'join')).toHaveLength(1);
    },
  );

  test.each(points('end', 'cancelItems'))(
    '%s: a failure cancels the other items all the same',
    async (_, failpoint) => {
      const at = await scene('fast');
      await killed(at, failpoint);
      await survivor(at);
      const result = await at.client.runner.handle(at.id).result({ settled: true });
      expect(result.error).toMatchObject({ code: 'ITEMS_FAILED' });
      const open: string[] = [];
      for await (const { status } of at.client.runner.results(at.id, 'each')) {
        if (!['Completed', 'Failed', 'Cancelled'].includes(status)) open.push(status);
      }
      expect(open).toEqual([]);
    },
  );
});
