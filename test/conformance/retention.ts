import { beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import { versionOf, type ExpiredTree, type RetentionWalk } from '../../lib/store/port/index.js';
import { firstIdAt } from '../../lib/engine/retention/retention-times.js';
import { Family } from './child-family.js';
import type { TestedStore } from './tested-store.js';
import {
  newClaimant,
  noLease,
  outcomeOf,
  parallel,
  startOf,
  workflow,
  type TestWorkflow,
} from './workflows.js';

const DAY = 86_400_000;
const AT_ONCE = { completedMs: 0, failedMs: 0, cancelledMs: 0 };
const RULE = { completedMs: DAY, failedMs: null, cancelledMs: null, keepLast: 0 };

export function describeRetention(tested: TestedStore): void {
  const worker = tested.worker();
  /** Another process, because the store of each numbers its statements. */
  const keeper = newClaimant();
  const retention = () => tested.store.retention;
  let chain: TestWorkflow;
  let name: string;
  beforeEach(() => {
    name = `kept ${uuid()}`;
    chain = workflow([[], [0]], { definitionId: tested.newDefinition(), name });
  });

  async function ended(options: { idempotencyKey?: string } = {}): Promise<string> {
    const id = await worker.startOne(chain, options);
    await worker.complete([outcomeOf(chain, id, 0)]);
    await worker.complete([outcomeOf(chain, id, 1)]);
    return id;
  }

  const existing = async (id: string) => (await tested.rowsOf(id)).execution !== undefined;
  const top = (id: string, more: Partial<ExpiredTree> = {}): ExpiredTree => ({
    id,
    generation: 0,
    version: null,
    ...more,
  });

  describe('a turn', () => {
    test('is of one process until it is given back or over', async () => {
      const [one, other] = [uuid(), uuid()];
      const first = await retention().takeTurn(one, DAY, {});
      expect(first).toMatchObject({ isMine: true, heldForMs: 0 });
      const refused = await retention().takeTurn(other, DAY, {});
      expect(refused.isMine).toBe(false);
      expect(refused.heldForMs).toBeGreaterThan(DAY - 3_600_000);
      expect((await retention().takeTurn(one, DAY, {})).isMine).toBe(true);
      // The note of a process that has not the turn changes nothing.
      await retention().note({ holder: other, holdMs: 0, deleted: 5, hasEnded: true });
      expect((await retention().takeTurn(other, DAY, {})).isMine).toBe(false);
      await retention().note({ holder: one, holdMs: 0, deleted: 0, hasEnded: false });
      expect((await retention().takeTurn(other, 0, {})).isMine).toBe(true);
      // Its time is over at once.
      expect((await retention().takeTurn(one, 0, {})).isMine).toBe(true);
      await retention().note({ holder: one, holdMs: 0, deleted: 0, hasEnded: false });
    });

    test('stores the rules of workflows, whosever it is', async () => {
      const [one, other] = [uuid(), uuid()];
      await retention().takeTurn(one, DAY, { [name]: RULE });
      const second = await retention().takeTurn(other, DAY, { [`${name} 2`]: RULE });
      expect(second.isMine).toBe(false);
      expect(second.rules).toMatchObject({ [name]: RULE, [`${name} 2`]: RULE });
      expect((await retention().takeTurn(one, 0, {})).rules).toEqual(second.rules);
      await retention().note({ holder: one, holdMs: 0, deleted: 0, hasEnded: false });
    });

    test('notes what was done, and failures of the archive until it succeeds', async () => {
      const holder = uuid();
      await retention().takeTurn(holder, DAY, {});
      const before = (await retention().state())?.deleted ?? 0;
      const note = { holder, holdMs: DAY, deleted: 2, hasEnded: true };
      const failure = { name: 'Error', message: 'disk full' };
      await retention().note({ ...note, failure });
      await retention().note({ ...note, failure });
      const { failures } = await retention().takeTurn(holder, DAY, {});
      expect(failures).toBe(2);
      expect(await retention().state()).toEqual({
        deleted: before + 4,
        failures: 2,
        failure,
        lapAt: expect.any(Number),
        failedAt: expect.any(Number),
      });
      await retention().note({ ...note, deleted: 0 });
      expect((await retention().state())?.failures).toBe(2);
      await retention().note({ ...note, deleted: 0, failure: null, holdMs: 0 });
      expect(await retention().state()).toMatchObject({
        failures: 0,
        failure: null,
        failedAt: null,
      });
    });
  });

  describe('a walk', () => {
    const walk = (more: Partial<RetentionWalk> = {}) =>
      retention().walk({
        after: firstIdAt(0),
        until: firstIdAt(Date.now() + DAY),
        periods: AT_ONCE,
        limit: 1_000_000,
        ...more,
      });
    const found = async (more?: Partial<RetentionWalk>) =>
      (await walk(more)).found.filter(({ workflow: of }) => of === name);

    test('finds what has ended so long ago, in the order of the ids', async () => {
      const first = await ended();
      const running = await worker.startOne(chain);
      const second = await ended();
      const cancelled = await worker.startOne(chain);
      await tested.store.cancel(cancelled, null);
      const rows = await found();
      expect(rows.map(({ id }) => id)).toEqual([first, second, cancelled]);
      expect(rows[0]).toMatchObject({ status: 'Completed', generation: 0, hasKey: false });
      expect((await found({ after: first })).map(({ id }) => id)).toEqual([second, cancelled]);
      expect((await found({ until: second })).map(({ id }) => id)).toEqual([first]);
      expect(await found({ periods: { ...AT_ONCE, completedMs: null } })).toHaveLength(1);
      const later = await walk({ periods: { ...AT_ONCE, completedMs: DAY }, after: first });
      expect(later.found.filter(({ workflow: of }) => of === name)).toHaveLength(1);
      expect(later.nextInMs).toBeGreaterThan(DAY - 3_600_000);
      await tested.store.cancel(running, null);
    });

    test('goes in parts', async () => {
      const ids = [await ended(), await ended(), await ended()];
      const after = firstIdAt(Number.parseInt(ids[0]!.replace('-', '').slice(0, 12), 16));
      const part = await walk({ after, limit: 2 });
      expect(part.last).not.toBeNull();
      expect(part.beyond).toBeNull();
      const last = await walk({ after: part.last!, until: ids[2]! });
      expect(last).toMatchObject({ last: null, beyond: ids[2] });
    });

    test('leaves children, unsettled ends and legal holds out', async () => {
      const family = new Family(tested);
      const { id, children } = await family.asleep();
      const held = await ended();
      await retention().hold(held, true, null);
      await tested.store.cancel(id, null);
      const of = new Set([id, held, ...children]);
      const seen = (await walk()).found.filter((row) => of.has(row.id));
      expect(seen).toEqual([]);
      await retention().hold(held, false, null);
      expect((await walk()).found.map((row) => row.id)).toContain(held);
    });

    test('knows the newest of a workflow', async () => {
      expect(await retention().keptSince(name, 1)).toBeNull();
      const ids = [await ended(), await ended(), await ended()];
      await worker.startOne(chain);
      const rows = await found();
      expect(rows.map(({ id }) => id)).toEqual(ids);
      expect(await retention().keptSince(name, 2)).toBe(rows[1]!.createdAtMicros);
      expect(await retention().keptSince(name, 4)).toBeNull();
    });
  });

  describe('a deletion', () => {
    test('takes trees whole, in the version that was read', async () => {
      const family = new Family(tested);
      const { id, children } = await family.asleep(2);
      for (const child of children) await family.worker.complete([outcomeOf(family.of, child, 0)]);
      expect((await retention().delete([top(id)])).deleted).toEqual([]);
      await tested.store.cancel(id, null);
      await tested.store.children.tellParents(children);
      await tested.store.children.childrenEnded([id]);
      const members = await retention().trees([id]);
      expect(members.map((member) => member.id)).toEqual([id, ...children.toSorted()]);
      expect(members.every(({ isReady }) => isReady)).toBe(true);
      const version = versionOf(members);
      expect((await retention().delete([top(id, { version: version + 1 })])).deleted).toEqual([]);
      expect((await retention().delete([top(id, { generation: 1, version })])).deleted).toEqual([]);
      expect((await retention().delete([top(children[0]!)])).deleted).toEqual([]);
      for (const one of [id, ...children]) expect(await existing(one)).toBe(true);
      expect(await retention().delete([top(id, { version })])).toEqual({ deleted: [id], left: [] });
      for (const one of [id, ...children]) {
        const rows = await tested.rowsOf(one);
        expect(rows).toEqual({ execution: undefined, tasks: [], events: [] });
      }
    });

    test('spares a tree with an execution on legal hold, as a bulk deletion does', async () => {
      const id = await ended();
      expect(await retention().hold(id, true, 'case 4711')).toEqual({
        workflow: name,
        changed: true,
      });
      expect((await retention().hold(id, true, null))?.changed).toBe(false);
      expect((await retention().delete([top(id)])).deleted).toEqual([]);
      expect(await tested.store.bulk.delete([id])).toEqual({ deleted: [], left: [] });
      const { events } = await tested.rowsOf(id);
      expect(events.map(({ kind }) => kind)).toEqual(['legalHold']);
      await retention().hold(id, false, null);
      expect((await retention().delete([top(id)])).deleted).toEqual([id]);
      expect(await retention().hold(id, true, null)).toBeUndefined();
    });
  });

  describe('kept keys', () => {
    test('come before the deletion, are found, and end', async () => {
      const idempotencyKey = `key ${uuid()}`;
      const id = await ended({ idempotencyKey });
      const plain = await ended();
      const { keeping } = tested.behind;
      expect(await retention().keepKeys([id, plain], DAY)).toEqual([]);
      await tested.behind.ageKeys(61_000);
      expect(await retention().keepKeys([id, plain], DAY)).toEqual([id]);
      expect((await retention().delete([top(id)])).deleted).toEqual([id]);

      const again = startOf(chain, { idempotencyKey });
      const reply = await keeping.start([again], noLease(keeper), true);
      expect(reply.created).toEqual(new Set());
      expect(await existing(again.id)).toBe(false);
      const key = { workflow: name, key: idempotencyKey };
      expect(await keeping.findByKeys([key])).toEqual([id]);

      await tested.behind.ageKeys(DAY);
      expect(await retention().expireKeys(1_000)).toBeGreaterThan(0);
      expect(await keeping.findByKeys([key])).toEqual([undefined]);
      const reused = await keeping.start([again], noLease(keeper), true);
      expect(reused.created).toEqual(new Set([again.id]));
    });

    test('leave no room for another execution that asks for a turn', async () => {
      const idempotencyKey = `key ${uuid()}`;
      const numbers = { concurrency: 1 };
      const admission = { key: `turn ${uuid()}`, skips: false, numbers };
      const of = parallel(1, { definitionId: tested.newDefinition(), name });
      const id = await ended({ idempotencyKey });
      await retention().keepKeys([id], DAY);
      await tested.behind.ageKeys(61_000);
      await retention().delete([top(id)]);
      const { keeping } = tested.behind;
      const start = async (item: Parameters<typeof startOf>[1]) =>
        keeping.start([startOf(of, { ...item, admission })], noLease(keeper), true);
      expect((await start({ idempotencyKey })).created).toEqual(new Set());
      const next = await start({});
      expect(next.waiting).toEqual(new Set());
    });
  });
}
