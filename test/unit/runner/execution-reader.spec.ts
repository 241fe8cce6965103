import { expect, it, jest } from '@jest/globals';
import type { DefinitionCatalog } from '../../../lib/engine/definitions/definition-catalog.js';
import type { TurnReader } from '../../../lib/runner/turn-reader.js';
import type { LimitReader } from '../../../lib/runner/limit-reader.js';
import { ExecutionReader } from '../../../lib/runner/execution-reader.js';
import { AvailabilityRetry } from '../../../lib/runtime/availability-retry.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { MemoryDatabase, MemoryStore } from '../../../lib/testing/memory-store/index.js';
import { noLease, parallel, startOf } from '../../conformance/workflows.js';
import { UnreadableDefinitionError } from '../../../lib/errors/index.js';

const limits: Pick<LimitReader, 'statesOf'> = { statesOf: async () => new Map() };
const turns: Pick<TurnReader, 'statesOf'> = { statesOf: async () => new Map() };
const find = jest.fn(async (id: string): Promise<never> => {
  throw new UnreadableDefinitionError({ id, schema: 'memory', reason: 'it is missing' });
});

it('many executions share a statement, and a page looks for a definition once', async () => {
  const store = new MemoryStore(new MemoryDatabase(systemClock));
  const items = Array.from({ length: 200 }, () => startOf(parallel(2), { claims: 0 }));
  await store.start(items, noLease(), false);
  const details = jest.spyOn(store, 'details');
  const catalog = { find } as unknown as DefinitionCatalog;
  const retry = new AvailabilityRetry('memory', store, 1_000, systemClock);
  const reader = new ExecutionReader(
    store,
    catalog,
    retry,
    () => [],
    systemClock,
    limits,
    () => undefined,
    turns,
  );

  const read = await reader.getMany(items.map(({ id }) => id));
  expect(read.every((execution) => execution?.tasks.length === 2)).toBe(true);
  expect(details).toHaveBeenCalledTimes(1);

  find.mockClear();
  const { items: listed } = await reader.list({ limit: 100 });
  expect(listed).toHaveLength(100);
  // No release here reads the definition: then tasks are shown by their numbers.
  expect(listed.every(({ waitingFor }) => waitingFor?.task === 'task 0')).toBe(true);
  expect(find).toHaveBeenCalledTimes(1);
  reader.close();
});

it.each([
  [17, 'id must be a string, not 17.'],
  [undefined, 'id must be a string, not undefined.'],
  [{ id: 'x', created: true }, "id must be a string, not { id: 'x', created: true }; use its id."],
])('an id that is not a string is refused: %p', async (id, message) => {
  const store = new MemoryStore(new MemoryDatabase(systemClock));
  const retry = new AvailabilityRetry('memory', store, 1_000, systemClock);
  const catalog = { find } as unknown as DefinitionCatalog;
  const reader = new ExecutionReader(
    store,
    catalog,
    retry,
    () => [],
    systemClock,
    limits,
    () => undefined,
    turns,
  );
  const wrong = id as unknown as string;
  const refused = { code: 'INVALID_ARGUMENT', message };
  await expect(reader.get(wrong)).rejects.toMatchObject(refused);
  await expect(reader.history(wrong)).rejects.toMatchObject(refused);
  await expect((async () => reader.getMany([wrong]))()).rejects.toMatchObject(refused);
  await expect(reader.statuses([wrong])).rejects.toMatchObject(refused);
  expect(await reader.get('no UUID')).toBeNull();
  reader.close();
});
