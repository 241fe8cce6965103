import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import type { Archive } from '../../../lib/engine/retention/archiver.js';
import { FIRST_ID } from '../../../lib/engine/retention/retention-times.js';
import { RetentionPass } from '../../../lib/engine/retention/retention-pass.js';
import {
  TenantRetention,
  type RetentionSettings,
} from '../../../lib/engine/retention/tenant-retention.js';
import { MemoryDatabase, MemoryStore } from '../../../lib/testing/memory-store/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { KEEP_ALL, type RetentionRule } from '../../../lib/workflow/retention.js';
import { noLease, parallel, startOf } from '../../conformance/workflows.js';
import { registered } from './engine-scene.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let clock: ManualClock;
let store: MemoryStore;
/** The names of the statements that were sent. */
let sent: string[];
beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryStore(new MemoryDatabase(clock));
  sent = [];
});

interface Process {
  readonly rule?: Partial<RetentionRule>;
  readonly settings?: Partial<RetentionSettings>;
  readonly workflows?: readonly RegisteredWorkflow[];
  readonly archive?: Archive;
}

function processOf({
  rule = {},
  settings = {},
  workflows = [],
  archive,
}: Process): TenantRetention {
  const retention = new Proxy(store.retention, {
    get: (target, property) => {
      const name = property as keyof typeof target;
      const call = target[name].bind(target) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        sent.push(name);
        return call(...args);
      };
    },
  });
  return new TenantRetention({
    tenant: 't',
    clock,
    store: { retention, classifyFailure: (error) => store.classifyFailure(error) },
    settings: { rule: { ...KEEP_ALL, ...rule }, ...settings },
    workflows: () => workflows,
    pacer: { run: (work) => work() },
    archive,
  });
}

/** Lets time pass, with a round of the sweep after each step. */
async function pass(ms: number, ...processes: TenantRetention[]): Promise<void> {
  const step = Math.max(15_000, ms / 50);
  for (let gone = 0; gone < ms; gone += step) {
    await clock.advance(step);
    for (const process of processes) {
      process.round();
      await process.whenIdle();
    }
  }
}

let starts = 0;

async function running(workflow = 'w', more: Parameters<typeof startOf>[1] = {}): Promise<string> {
  const id = uuid({ msecs: clock.wallTime(), seq: starts++ });
  await store.start([startOf(parallel(1, { name: workflow }), { id, ...more })], noLease(), true);
  return id;
}

async function end(id: string, status = 'Completed'): Promise<void> {
  await store.cancel(id, null);
  store.handle.executions.get(id)!.status = status;
}

async function ended(
  status = 'Completed',
  ...[workflow, more]: Parameters<typeof running>
): Promise<string> {
  const id = await running(workflow, more);
  await end(id, status);
  return id;
}

const exists = (id: string): boolean => store.handle.executions.has(id);
const workflowOf = (name: string, retention?: RetentionRule): RegisteredWorkflow => ({
  ...registered([{ name: 'a' }], { name }),
  ...(retention === undefined ? {} : { retention }),
});

describe('TenantRetention', () => {
  it('deletes executions when the period of their status is over, and no earlier', async () => {
    const process = processOf({ rule: { completedMs: 30 * DAY, failedMs: 90 * DAY } });
    const completed = await ended();
    const failed = await ended('Failed');
    const cancelled = await ended('Cancelled');
    const open = await running();
    await pass(29 * DAY, process);
    expect([completed, failed].map(exists)).toEqual([true, true]);
    await pass(2 * DAY, process);
    expect([completed, failed].map(exists)).toEqual([false, true]);
    await pass(61 * DAY, process);
    expect([failed, cancelled, open].map(exists)).toEqual([false, true, true]);
  });

  it('counts from the end, also of executions that a lap has passed', async () => {
    const process = processOf({ rule: { completedMs: HOUR } });
    const slow = await running();
    await pass(5 * HOUR, process);
    await end(slow);
    await pass(55 * MINUTE, process);
    expect(exists(slow)).toBe(true);
    await pass(2 * HOUR, process);
    expect(exists(slow)).toBe(false);
  });

  it('keeps up with starts: what is there levels off', async () => {
    const process = processOf({ rule: { completedMs: MINUTE } });
    const counts: number[] = [];
    for (let round = 0; round < 80; round++) {
      for (let n = 0; n < 5; n++) await ended();
      await pass(15_000, process);
      counts.push(store.handle.executions.size);
    }
    // Five each 15 s: twenty in a minute, and those of the time between two rounds.
    expect(Math.max(...counts)).toBeLessThanOrEqual(30);
  });

  it('takes the rule of the workflow before that of the tenant', async () => {
    const audit = workflowOf('audit', KEEP_ALL);
    const brief = workflowOf('brief', { ...KEEP_ALL, completedMs: MINUTE });
    const process = processOf({ rule: { completedMs: DAY }, workflows: [audit, brief] });
    const ids = [await ended('Completed', 'audit'), await ended('Completed', 'brief')];
    const other = await ended('Completed', 'other');
    await pass(HOUR, process);
    expect([...ids, other].map(exists)).toEqual([true, false, true]);
    await pass(3 * DAY, process);
    expect([...ids, other].map(exists)).toEqual([true, false, false]);
  });

  it('knows the rules of workflows that only other processes have, until these take them back', async () => {
    const rule = { completedMs: MINUTE };
    const without = processOf({ rule });
    const having = processOf({ rule, workflows: [workflowOf('audit', KEEP_ALL)] });
    await pass(MINUTE, having);
    await having.close();
    const id = await ended('Completed', 'audit');
    await pass(10 * MINUTE, without);
    expect(exists(id)).toBe(true);
    await without.close();
    await pass(MINUTE, processOf({ rule, workflows: [workflowOf('audit')] }));
    await pass(3 * HOUR, processOf({ rule }));
    expect(exists(id)).toBe(false);
  });

  it('stores the rules of a process that deletes nothing, and does nothing else in it', async () => {
    const quiet = processOf({ workflows: [workflowOf('audit', KEEP_ALL)] });
    const id = await ended('Completed', 'audit');
    await pass(DAY, quiet);
    expect(sent).toEqual(['takeTurn', 'note']);
    await pass(DAY, processOf({ rule: { completedMs: MINUTE } }));
    expect(exists(id)).toBe(true);
  });

  it('keeps the newest of each workflow', async () => {
    const process = processOf({ rule: { completedMs: MINUTE, failedMs: MINUTE, keepLast: 2 } });
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.push(await ended(n === 3 ? 'Failed' : 'Completed'));
      await clock.advance(1_000);
    }
    const alone = await ended('Completed', 'alone');
    await pass(HOUR, process);
    expect(ids.map(exists)).toEqual([false, false, false, true, true]);
    expect(exists(alone)).toBe(true);
    // Of the three of this workflow, the first is not among the newest any more.
    await ended('Completed', 'alone');
    await clock.advance(1_000);
    await ended('Completed', 'alone');
    await pass(3 * HOUR, process);
    expect(exists(alone)).toBe(false);
  });

  it('sends nothing in an idle tenant but one statement an hour for its turn, and none without a retention', async () => {
    const process = processOf({ rule: { completedMs: 30 * DAY } });
    const none = processOf({});
    await ended();
    await pass(MINUTE, process, none);
    sent = [];
    await pass(50 * MINUTE, process, none);
    expect(sent).toEqual([]);
    await pass(20 * MINUTE, process, none);
    expect(sent).toEqual(['takeTurn', 'note']);
  });

  it('is the work of one process, and of another one when that has stopped or died', async () => {
    const rule = { completedMs: MINUTE };
    const first = processOf({ rule });
    const second = processOf({ rule });
    await pass(MINUTE, first, second);
    sent = [];
    await pass(10 * MINUTE, second);
    expect(sent).toContain('walk');
    await pass(10 * MINUTE, second, first);
    sent = [];
    await pass(MINUTE, first);
    expect(sent.filter((name) => name !== 'takeTurn')).toEqual([]);
    await second.close();
    await pass(10 * MINUTE, first);
    expect(sent).toContain('walk');
  });

  it('deletes an execution with a key only after its key is kept for a minute', async () => {
    const process = processOf({ rule: { completedMs: HOUR }, settings: { keysMs: DAY } });
    const key = { workflow: 'w', key: 'k' };
    const id = await ended('Completed', 'w', { idempotencyKey: 'k' });
    await pass(HOUR + 30_000, process);
    expect(exists(id)).toBe(true);
    await pass(10 * MINUTE, process);
    expect(exists(id)).toBe(false);
    expect(await store.findByKeys([key])).toEqual([id]);
    await pass(3 * DAY, process);
    expect(await store.findByKeys([key])).toEqual([undefined]);
    expect(store.handle.keptKeys.size).toBe(0);
  });

  it('makes full laps the more rarely the longer they work, whatever fresh laps leave behind', async () => {
    const process = processOf({ rule: { completedMs: MINUTE } });
    const { walk } = store.retention;
    const full: number[] = [];
    store.retention.walk = async (part) => {
      if (part.after === FIRST_ID) {
        full.push(clock.wallTime());
        await clock.advance(30_000);
      }
      return walk.call(store.retention, part);
    };
    const slow: string[] = [];
    for (let n = 0; n < 100; n++) {
      slow.push(await running());
      // Each ends when it is older than the period, so a fresh lap finds it too young.
      if (n >= 6) await end(slow[n - 6]!);
      await pass(15_000, process);
    }
    // A hundred times 30 s are 50 minutes, and these are 25.
    expect(full).toHaveLength(1);
    await pass(50 * MINUTE, process);
    expect(full).toHaveLength(2);
    expect(slow.slice(0, 90).filter(exists)).toEqual([]);
  });

  it('goes on after a failure of the database', async () => {
    const process = processOf({ rule: { completedMs: MINUTE } });
    const id = await ended();
    const { walk } = store.retention;
    store.retention.walk = () => Promise.reject(new Error('out of order'));
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    await pass(5 * MINUTE, process);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
    expect(exists(id)).toBe(true);
    store.retention.walk = walk;
    await pass(5 * MINUTE, process);
    expect(exists(id)).toBe(false);
  });
});

it('reads the place of kept executions less often than there are laps, that of many more rarely', async () => {
  const count = async (keepLast: number): Promise<number> => {
    const process = processOf({ rule: { completedMs: MINUTE, keepLast } });
    sent = [];
    for (let n = 0; n < 20; n++) {
      await ended('Completed', `keeps ${keepLast}`);
      await pass(15_000, process);
    }
    await process.close();
    return sent.filter((name) => name === 'keptSince').length;
  };
  // Each minute of the five.
  const ofFew = await count(2);
  expect(ofFew).toBeGreaterThan(2);
  expect(ofFew).toBeLessThan(7);
  // A hundred seconds each, for two workflows.
  expect(await count(100_000)).toBeLessThan(8);
});

describe('an archive', () => {
  let archived: string[][];
  let failing: Error | undefined;
  let during: () => unknown;
  beforeEach(() => {
    archived = [];
    failing = undefined;
    during = () => undefined;
  });
  const archive: Archive = {
    read: async (ids) => ids.map((id) => ({ id })),
    send: async (executions) => {
      if (failing !== undefined) throw failing;
      archived.push(executions.map((one) => (one as { id: string }).id));
      await during();
    },
  };

  it('gets each execution before it is deleted, at most 200 in a call, with its tree', async () => {
    const process = processOf({ rule: { completedMs: MINUTE }, archive });
    const ids: string[] = [];
    for (let n = 0; n < 250; n++) ids.push(await ended());
    const child = await running();
    Object.assign(store.handle.executions.get(child)!, { parentExecutionId: ids[0] });
    const open = await running();
    Object.assign(store.handle.executions.get(open)!, { parentExecutionId: ids[1] });
    await end(child);
    during = () => expect(ids.every(exists)).toBe(true);
    await pass(MINUTE + 30_000, process);
    expect(archived.map(({ length }) => length)).toEqual([200, 50]);
    expect(new Set(archived.flat())).toEqual(
      new Set([child, ...ids.filter((id) => id !== ids[1])]),
    );
    expect([ids[0]!, ids[1]!, ids[2]!, child, open].map(exists)).toEqual([
      false,
      true,
      false,
      false,
      true,
    ]);
  });

  it('gets a tree again of which an execution was retried while it was archived', async () => {
    const process = processOf({ rule: { completedMs: MINUTE }, archive });
    const id = await ended();
    const child = await running();
    const row = store.handle.executions.get(child)!;
    Object.assign(row, { parentExecutionId: id });
    await end(child);
    during = () => {
      // It has ended again by now.
      if (archived.length === 1) Object.assign(row, { generation: row.generation + 1 });
    };
    await pass(MINUTE + 30_000, process);
    expect(archived.map((ids) => ids.length)).toEqual([2]);
    expect([id, child].map(exists)).toEqual([true, true]);
    await pass(HOUR, process);
    expect(archived.map((ids) => ids.toSorted())).toEqual([
      [id, child].toSorted(),
      [id, child].toSorted(),
    ]);
    expect([id, child].map(exists)).toEqual([false, false]);
  });

  it('that fails stops the deletion, is logged at growing intervals, and shows in the state', async () => {
    const process = processOf({ rule: { completedMs: MINUTE }, archive });
    const error = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    failing = new Error('the bucket is full');
    const id = await ended();
    await pass(2 * HOUR, process);
    expect(exists(id)).toBe(true);
    const { failures, failure } = (await store.retention.state())!;
    expect(failure?.message).toBe('the bucket is full');
    expect(failures).toBe(error.mock.calls.length);
    expect(failures).toBeGreaterThan(5);
    expect(failures).toBeLessThan(20);
    expect(process.archiveFailures).toBe(failures);
    const other = processOf({ rule: { completedMs: MINUTE }, archive });
    await pass(MINUTE, other);
    expect(other.archiveFailures).toBe(0);
    error.mockRestore();
    failing = undefined;
    await pass(25 * MINUTE, process);
    expect(process.archiveFailures).toBe(0);
    expect(exists(id)).toBe(false);
    expect(await store.retention.state()).toMatchObject({ failures: 0, failure: null, deleted: 1 });
  });

  /** An archive for which some executions can't be read. */
  const reading = (isBroken: (id: string) => boolean): Archive => ({
    ...archive,
    read: async (ids) => {
      const broken = ids.find(isBroken);
      if (broken !== undefined) throw new RangeError(`Invalid string length of ${broken}`);
      return archive.read(ids);
    },
  });

  it('gets all that can be read; the rest is kept with its tree, and counts as a failure until it can be', async () => {
    const broken = new Set<string>();
    const process = processOf({
      rule: { completedMs: MINUTE },
      archive: reading((id) => broken.has(id)),
    });
    const error = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    const ids: string[] = [];
    for (let n = 0; n < 50; n++) ids.push(await ended());
    const [top, child, alone] = [ids[10]!, await ended(), ids[40]!];
    Object.assign(store.handle.executions.get(child)!, { parentExecutionId: top });
    broken.add(child).add(alone);
    await pass(2 * MINUTE, process);
    expect(ids.filter(exists)).toEqual([top, alone]);
    expect(archived.flat().toSorted()).toEqual(
      expect.arrayContaining(ids.filter((id) => id !== top && id !== alone)),
    );
    expect(archived.flat()).not.toContain(alone);
    // What becomes due later is deleted too, by fresh laps, which do not take the failure back.
    for (let hours = 0; hours < 8; hours++) {
      const later = await ended();
      await pass(HOUR, process);
      expect(exists(later)).toBe(false);
      const { failure, failures } = (await store.retention.state())!;
      expect(failure?.name).toBe('ArchiveReadError');
      expect(failure?.message).toContain(child);
      expect(failures).toBe(error.mock.calls.length);
    }
    // A minute, doubled up to an hour: six times in the first hour.
    expect(error.mock.calls.length).toBeLessThan(16);
    error.mockRestore();
    broken.clear();
    await pass(2 * HOUR, process);
    expect([top, child, alone].map(exists)).toEqual([false, false, false]);
    expect(await store.retention.state()).toMatchObject({ failures: 0, failure: null });
  });

  it('gets a tree in halves that is too large to be read at once', async () => {
    const whole = reading(() => false);
    const process = processOf({
      rule: { completedMs: MINUTE },
      archive: {
        ...whole,
        read: (ids) =>
          ids.length > 2 ? Promise.reject(new RangeError('Too long')) : whole.read(ids),
      },
    });
    const top = await ended();
    for (let n = 0; n < 4; n++) {
      const child = await ended();
      Object.assign(store.handle.executions.get(child)!, { parentExecutionId: top });
    }
    await pass(2 * MINUTE, process);
    expect(archived.map(({ length }) => length)).toEqual([2, 1, 2]);
    expect(exists(top)).toBe(false);
  });

  it('ends the lap if a hundred can not be read, and if the database does not answer', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    const process = processOf({ rule: { completedMs: MINUTE }, archive: reading(() => true) });
    const ids: string[] = [];
    for (let n = 0; n < 150; n++) ids.push(await ended());
    await pass(2 * MINUTE, process);
    expect((await store.retention.state())?.failure?.name).toBe('ArchiveReadError');
    expect(error).toHaveBeenCalledWith(expect.stringContaining('the deletion has stopped'));
    error.mockClear();
    const failures = (await store.retention.state())!.failures;
    const state = jest.spyOn(store.retention, 'state');
    state.mockRejectedValueOnce(new Error('away'));
    await pass(MINUTE, process);
    expect(state).toHaveBeenCalledTimes(1);
    expect(ids.every(exists)).toBe(true);
    expect(error).not.toHaveBeenCalled();
    jest.restoreAllMocks();
    expect((await store.retention.state())!.failures).toBe(failures);
  });

  it('gets past a hundred that can not be read, those in between and after a pause those behind', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    const broken = new Set<string>();
    const process = processOf({
      rule: { completedMs: MINUTE },
      archive: reading((id) => broken.has(id)),
    });
    const between: string[] = [];
    for (let n = 0; n < 150; n++) {
      broken.add(await ended());
      if (n === 60) between.push(await ended());
    }
    const behind = await ended();
    for (let n = 0; n < 150; n++) broken.add(await ended());
    const last = await ended();
    await pass(MINUTE + 30_000, process);
    expect([...between, behind].map(exists)).toEqual([false, false]);
    expect(exists(last)).toBe(true);
    await pass(2 * MINUTE, process);
    expect(exists(last)).toBe(false);
    expect([...broken].every(exists)).toBe(true);
    error.mockRestore();
  });

  it('that does not take one execution gets the others all the same', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    let poison = '';
    const process = processOf({
      rule: { completedMs: MINUTE },
      archive: {
        ...archive,
        send: (executions, signal) =>
          executions.some((one) => (one as { id: string }).id === poison)
            ? Promise.reject(new Error('Unsupported value'))
            : archive.send(executions, signal),
      },
    });
    const ids: string[] = [];
    for (let n = 0; n < 450; n++) ids.push(await ended());
    poison = ids[300]!;
    // The call with the execution, which is the second of the lap, fails.
    await pass(MINUTE + 30_000, process);
    expect(ids.filter(exists)).toEqual(ids.slice(200));
    // The next lap goes on with the others.
    await pass(MINUTE + 15_000, process);
    expect(ids.filter(exists)).toEqual(ids.slice(200, 400));
    expect(archived.map(({ length }) => length)).toEqual([200, 50]);
    await pass(HOUR, process);
    expect(ids.filter(exists)).toEqual([poison]);
    const { failure, failures } = (await store.retention.state())!;
    expect(failure?.message).toBe('Unsupported value');
    expect(failures).toBe(error.mock.calls.length);
    const later = await ended();
    await pass(30 * MINUTE, process);
    expect(exists(later)).toBe(false);
    poison = '';
    await pass(HOUR, process);
    expect(ids.some(exists)).toBe(false);
    expect(await store.retention.state()).toMatchObject({ failures: 0, failure: null });
    error.mockRestore();
  });

  it('that does not return counts as failed', async () => {
    const process = processOf({ rule: { completedMs: MINUTE }, archive });
    const error = jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    during = () => new Promise(() => undefined);
    const id = await ended();
    await clock.advance(2 * MINUTE);
    process.round();
    await clock.advance(0);
    await clock.advance(11 * MINUTE);
    await process.whenIdle();
    expect((await store.retention.state())?.failures).toBe(1);
    expect(exists(id)).toBe(true);
    error.mockRestore();
  });

  it.each(['the top', 'a child'])(
    'gets a tree again if %s was retried, and has ended again, while it was archived',
    async (which) => {
      const process = processOf({ rule: { completedMs: MINUTE }, archive });
      const id = await ended();
      const child = await ended();
      Object.assign(store.handle.executions.get(child)!, { parentExecutionId: id });
      const retried = store.handle.executions.get(which === 'the top' ? id : child)!;
      during = () => (retried.generation = 1);
      await pass(MINUTE + 30_000, process);
      expect(archived).toEqual([[id, child]]);
      expect([id, child].map(exists)).toEqual([true, true]);
      await pass(5 * MINUTE, process);
      expect(archived).toEqual([
        [id, child],
        [id, child],
      ]);
      expect([id, child].map(exists)).toEqual([false, false]);
    },
  );
});

describe('RetentionPass', () => {
  it('begins the laps of the tenants of its part, and waits for none', async () => {
    const begun: string[] = [];
    const sweep = new RetentionPass((names) =>
      names.map((name) => ({ retention: { round: () => void begun.push(name) } })),
    );
    await sweep.over(['a', 'b']);
    await sweep.look();
    expect(begun).toEqual(['a', 'b']);
  });
});
