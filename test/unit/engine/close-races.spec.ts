import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase } from '../../../lib/testing/memory-store/index.js';
import { tasksOf } from '../../conformance/tasks-of.js';
import { gate } from '../../support/gate.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

const TASKS = [{ name: 'a' }, { name: 'b', dependsOn: ['a'], transactional: true }];

let clock: ManualClock;
let database: MemoryDatabase;
let errors: jest.SpiedFunction<Logger['error']>;
beforeEach(() => {
  clock = new ManualClock();
  database = new MemoryDatabase(clock);
  errors = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
});
afterEach(() => {
  errors.mockRestore();
});

/** A process whose code has these tasks only. */
async function open(...tasks: readonly string[]): Promise<MemoryProcess> {
  const handlers = Object.fromEntries(
    TASKS.map(({ name }) => [name, tasks.includes(name) ? {} : null]),
  );
  const process = new MemoryProcess(clock, registered(TASKS, { handlers }), { database });
  await process.open();
  return process;
}

/** Closes the process. Tells whether it has ended. */
function close(process: MemoryProcess): { hasEnded: boolean } {
  const closing = { hasEnded: false };
  void process.close().then(() => (closing.hasEnded = true));
  return closing;
}

async function closed(process: MemoryProcess): Promise<void> {
  const closing = close(process);
  while (!closing.hasEnded) await clock.advance(20);
}

async function completedByAnother(id: string): Promise<void> {
  const other = await open('b');
  other.engine.claimAvailable();
  for (let turns = 0; turns < 100; turns++) await clock.advance(20);
  expect(await other.statusOf(id)).toBe('Completed');
  const [, task] = await tasksOf(other.store, [id]);
  expect(task).toMatchObject({ attempt: 0, recoveryAttempts: 0 });
  expect(errors).not.toHaveBeenCalled();
  await closed(other);
}

it('A close during the read of an input waits for the read, and gives the claim back uncharged', async () => {
  const reading = gate();
  const answer = gate();
  const [starting, process] = [await open('a'), await open('b')];
  const { store } = process;
  const read = store.outcomes.bind(store);
  store.outcomes = async (tasks) => {
    reading.open();
    await answer.passed;
    return read(tasks);
  };
  const id = await starting.start();
  await reading.passed;
  const { instanceId } = process.engine.lease;
  expect(store.handle.leases.has(instanceId)).toBe(true);

  const closing = close(process);
  // The drain waits five seconds for the database.
  await clock.advance(4_000);
  expect(closing.hasEnded).toBe(false);
  const [, waiting] = await tasksOf(store, [id]);
  expect(waiting).toMatchObject({ status: 'Ready', attempt: 0, recoveryAttempts: 0 });
  answer.open();
  while (!closing.hasEnded) await clock.advance(20);
  expect(store.handle.leases.has(instanceId)).toBe(false);

  await completedByAnother(id);
  await closed(starting);
});

it('A close charges nothing for a claim whose transaction ends before it is given back', async () => {
  const [begun, begins, givesBack] = [gate(), gate(), gate()];
  const [starting, process] = [await open('a'), await open('b')];
  const { store } = process;
  const begin = store.transaction.bind(store);
  store.transaction = async (work, signal) => {
    begun.open();
    await begins.passed;
    return begin(work, signal);
  };
  const reschedule = store.reschedule.bind(store);
  store.reschedule = async (items) => {
    await givesBack.passed;
    return reschedule(items);
  };
  const id = await starting.start();
  await begun.passed;

  const closing = close(process);
  await clock.advance(100);
  // The claim is lost, so the transaction is rolled back.
  begins.open();
  await clock.advance(100);
  givesBack.open();
  while (!closing.hasEnded) await clock.advance(20);
  await completedByAnother(id);
  await closed(starting);
});
