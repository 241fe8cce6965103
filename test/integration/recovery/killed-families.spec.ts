import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { Failpoint } from '../../faults/workload/failpoints.js';
import { startChild } from '../../support/child-process.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { pairs } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { CHILDREN, family } from './family.js';
import type { FamilySettings } from './family-process.js';

const SCRIPT = new URL('family-process.ts', import.meta.url);
const folder = mkdtempSync(path.join(tmpdir(), 'cloacina-family-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What only one statement of the library has in its text. */
const STATEMENTS = {
  start: 'root_execution_id, on_parent_end)',
  suspend: "WHEN l.kind = 'retry' THEN t.attempt + 1",
  end: 'ended_batch AS (',
  tell: 'unsettled & ~1',
  cancel: "SELECT $1::uuid, 'cancelled'",
  endChildren: 'child AS MATERIALIZED',
  childrenEnded: 'LIMIT 1) IS NULL)',
} as const;
const points = (...names: (keyof typeof STATEMENTS)[]): [string, Failpoint][] =>
  pairs(names, ['before', 'sent', 'after'] as const).map(([name, at]) => [
    `${at} ${name}`,
    { at, statement: STATEMENTS[name] },
  ]);

let files = 0;
interface Scene {
  readonly schema: string;
  readonly log: string;
  readonly gate: string;
  readonly client: OpenTenant;
  readonly id: string;
}

/** A parent that is started and not claimed yet. */
async function scene(): Promise<Scene> {
  const n = ++files;
  const [log, gate] = [path.join(folder, `${n}.log`), path.join(folder, `${n}.gate`)];
  writeFileSync(log, '');
  const schema = freshSchema();
  const client = await openTenant(
    family(gate, () => undefined),
    { schema, maxConcurrentTasks: 0, leaseDurationMs: 3_000 },
  );
  const { id } = await client.runner.start('parent');
  return { schema, log, gate, client, id };
}

/** A process that runs the tasks, in this one. */
const survivor = ({ schema, gate, log }: Scene): Promise<OpenTenant> =>
  openTenant(
    family(gate, (what) => writeFileSync(log, `${what}\n`, { flag: 'a' })),
    { schema, leaseDurationMs: 3_000 },
  );

async function killed({ schema, log, gate }: Scene, failpoint: Failpoint, cancel?: string) {
  const settings: FamilySettings = {
    schema,
    log,
    gate,
    failpoint,
    ...(cancel === undefined ? {} : { cancel }),
  };
  const child = startChild(SCRIPT, { env: { FAMILY: JSON.stringify(settings) } });
  expect(await child.end()).toMatchObject({ signal: 'SIGKILL' });
}

const settled = ({ client }: Scene): Promise<true> =>
  waitFor(
    async () => {
      const rows = await client.query(
        'SELECT FROM cloacina_workflow_execution WHERE unsettled <> 0 AND completed_at IS NOT NULL',
      );
      return rows.length === 0 ? true : undefined;
    },
    { what: 'settled ends' },
  );
const statusesOf = async ({ client, id }: Scene): Promise<string[]> =>
  (await client.runner.list({ parent: id })).items.map(({ status }) => status);

describe('A process that is killed', () => {
  test.each(points('start', 'suspend', 'end', 'tell'))(
    '%s: each child is started and joined once',
    async (_, failpoint) => {
      const at = await scene();
      writeFileSync(at.gate, '');
      await killed(at, failpoint);
      await survivor(at);
      const { context } = await at.client.runner.handle(at.id).result();
      expect(context).toMatchObject({ sum: (CHILDREN * (CHILDREN - 1)) / 2 });
      await waitFor(async () => (await statusesOf(at)).every((status) => status === 'Completed'));
      expect(await statusesOf(at)).toHaveLength(CHILDREN);
      await settled(at);
      // A handler runs again only if its process was killed before its outcome was stored.
      const ended = readFileSync(at.log, 'utf8').trim().split('\n');
      expect(new Set(ended).size).toBe(CHILDREN + 1);
    },
  );

  test.each(points('cancel', 'endChildren', 'childrenEnded'))(
    '%s: a cancelled tree leaves no orphan',
    async (_, failpoint) => {
      const at = await scene();
      await survivor(at);
      await waitFor(async () => (await statusesOf(at)).length === CHILDREN, {
        what: 'the children',
      });
      await killed(at, failpoint, at.id);
      await at.client.runner.cancel(at.id);
      await waitFor(async () => (await statusesOf(at)).every((status) => status === 'Cancelled'), {
        what: 'the ends of the children',
      });
      await settled(at);
    },
  );
});
