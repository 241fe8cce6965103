import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { declareSchedules } from '../../../lib/discovery/schedule.decorator.js';
import { asNew } from '../../../lib/engine/definitions/definition-rows.js';
import { makeRunnable } from '../../../lib/engine/definitions/runnable-definition.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import type { MemoryTables } from '../../../lib/testing/memory-store/memory-tables.js';
import { compiled } from '../workflow/some-workflows.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

let clock: ManualClock;
let process: MemoryProcess;
let release: () => void = () => undefined;

async function pass(): Promise<void> {
  for (let turns = 0; turns < 100; turns++) await clock.advance(20);
}

beforeEach(async () => {
  clock = new ManualClock();
  const run = (): Promise<void> => new Promise((resolve) => (release = resolve));
  process = new MemoryProcess(clock, registered([{ name: 'a' }], { handlers: { a: { run } } }));
  await process.open();
});
afterEach(async () => {
  release();
  await pass();
  await process.close();
});

/** How often the process doubts what it remembers of the tenant when it reconnects to this life of the server. */
async function doubtsOf(life: string | undefined): Promise<number> {
  const doubt = jest.spyOn(process.engine, 'doubt');
  process.reconnect(life);
  await pass();
  return doubt.mock.calls.length;
}

it('A process with claims doubts them once when the server begins another life, and goes on', async () => {
  const id = await process.start();
  await pass();
  expect(await doubtsOf(undefined)).toBe(0);
  expect(await doubtsOf('next')).toBe(1);
  expect(await doubtsOf('next')).toBe(1);
  release();
  await pass();
  expect(await process.statusOf(id)).toBe('Completed');
  expect(await process.task(id)).toMatchObject({ recoveryAttempts: 0 });
});

it('One with nothing under way has no claims that it could doubt', async () => {
  expect(await doubtsOf('next')).toBe(0);
});

describe('A database that has lost what a process stored at its boot', () => {
  const EVERY_2H = JSON.stringify({ every: '2h' });
  const declare = (every: string) => declareSchedules('w', 'w', [{ name: 's', every }]).schedules;
  let tables: MemoryTables;

  /** Boots anew, with a schedule and a subscription of the code. */
  async function boot(): Promise<void> {
    await process.close();
    const definition = compiled({ name: 'w', tasks: [{ name: 'a' }], startsOn: ['paid'] });
    const code = { ...registered([{ name: 'a' }]), definition, schedules: declare('1h') };
    process = new MemoryProcess(clock, code);
    await process.open();
    tables = process.store.database.tables(process.store.schema);
    await pass();
    expect([tables.schedules.size, tables.definitions.size, tables.subscriptions.length]).toEqual([
      1, 1, 1,
    ]);
  }

  it('gets it again in its next life, although nothing was under way', async () => {
    await boot();
    tables.schedules.clear();
    tables.definitions.clear();
    tables.subscriptions = [];
    process.reconnect('next');
    await pass();
    expect([...tables.schedules.values()]).toMatchObject([{ name: 's', state: 'active' }]);
    expect([...tables.definitions.values()]).toMatchObject([{ name: 'w' }]);
    expect(tables.subscriptions).toEqual([{ workflow: 'w', event: 'paid' }]);
  });

  it('gets it again when the statements fail at first', async () => {
    await boot();
    tables.schedules.clear();
    const { definitions } = process.store;
    const known = definitions.known.bind(definitions);
    definitions.known = () => {
      definitions.known = known;
      return Promise.reject(new MemoryFailure('connection', 'away'));
    };
    process.reconnect('next');
    await pass();
    expect(tables.schedules.size).toBe(0);
    await clock.advance(5_000);
    await pass();
    expect(tables.schedules.size).toBe(1);
  });

  it('gets its schedules again with the first start that misses its definition', async () => {
    await boot();
    tables.schedules.clear();
    tables.definitions.clear();
    await process.start();
    await pass();
    expect([tables.schedules.size, tables.definitions.size]).toEqual([1, 1]);
  });

  it('gets the last change of a schedule again, although the schedule has fired since', async () => {
    await boot();
    const { spec, updatedAt, version, ...schedule } = tables.schedules.get('s')!;
    const lost = { spec: EVERY_2H, updatedAt: updatedAt - 1, version: version + 5 };
    tables.schedules.set('s', { ...schedule, ...lost });
    process.reconnect('next');
    await pass();
    expect(tables.schedules.get('s')).toMatchObject({ spec, updatedAt });
  });

  it('keeps a schedule that another release has changed, or made again after a deletion', async () => {
    await boot();
    const { updatedAt, version, ...schedule } = tables.schedules.get('s')!;
    const other = { ...schedule, spec: EVERY_2H, updatedAt: updatedAt + 1 };
    tables.schedules.set('s', { ...other, version: version + 1 });
    process.reconnect('next');
    await pass();
    expect(tables.schedules.get('s')).toMatchObject({ spec: EVERY_2H });
    tables.schedules.set('s', { ...other, version: version - 1 });
    process.reconnect('third');
    await pass();
    expect(tables.schedules.get('s')).toMatchObject({ spec: EVERY_2H });
  });

  it.each([
    ['deleted', 'older'],
    ['deleted', 'newer'],
    ['changed', 'older'],
    ['changed', 'newer'],
  ])(
    'gets a %s schedule of the newer of two releases, if the %s one is first',
    async (loss, first) => {
      await boot();
      const lost = { ...tables.schedules.get('s')!, spec: '{"every":"3h"}' };
      tables.schedules.set('s', { ...lost, version: 10 });
      const bootOf = async (every: string): Promise<MemoryProcess> => {
        await clock.advance(1_000);
        const code = { ...registered([{ name: 'a' }]), schedules: declare(every) };
        const one = new MemoryProcess(clock, code, { database: process.store.database });
        await one.open();
        await pass();
        return one;
      };
      const older = await bootOf('1h');
      const newer = await bootOf('2h');
      if (loss === 'deleted') tables.schedules.clear();
      else tables.schedules.set('s', lost);
      for (const each of first === 'older' ? [older, newer] : [newer, older]) {
        each.reconnect('next');
        await pass();
      }
      expect(tables.schedules.get('s')).toMatchObject({ spec: EVERY_2H });
      await Promise.all([older.close(), newer.close()]);
    },
  );

  it('keeps the definition of a newer release', async () => {
    await boot();
    const newer = compiled({ name: 'w', tasks: [{ name: 'a' }, { name: 'b' }] });
    await process.store.definitions.register([asNew(makeRunnable(newer, undefined))]);
    process.reconnect('next');
    await pass();
    const { newest } = await process.store.definitions.known(['w']);
    expect(newest.map(({ hash }) => hash)).toEqual([newer.hash]);
  });
});
