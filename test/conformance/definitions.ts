import { expect, test } from '@jest/globals';
import type { NewDefinition } from '../../lib/store/port/index.js';
import { limitKeyOf } from '../../lib/workflow/limit.js';
import type { TestedStore } from './tested-store.js';
import { outcomeOf, parallel } from './workflows.js';

export function describeDefinitions(tested: TestedStore): void {
  const worker = tested.worker();

  function definition(name: string, graph: unknown = {}): NewDefinition {
    const id = tested.newDefinition();
    const unsaid = { version: undefined, description: undefined };
    return { id, hash: `hash of ${id}`, name, definition: graph, ...unsaid };
  }
  const rowOf = ({ id, hash, name }: NewDefinition) => ({ id, hash, name });

  test('the newest of a name is the one that was registered last', async () => {
    const { definitions } = tested.store;
    const [first, second] = [definition('newest', { tasks: [1] }), definition('newest')];
    await definitions.register([first]);
    await definitions.register([second]);
    expect(await definitions.newest('newest')).toMatchObject(rowOf(second));
    await definitions.register([first]);
    expect(await definitions.newest('newest')).toEqual({
      ...rowOf(first),
      definition: { tasks: [1] },
    });
    expect((await definitions.known(['newest', 'none'])).newest).toEqual([rowOf(first)]);
    expect(await definitions.find(second.id)).toMatchObject(rowOf(second));
    expect(await definitions.find('1')).toBeUndefined();
    expect(await definitions.newest('none')).toBeUndefined();
  });

  test('one with the id of another definition is refused', async () => {
    const { definitions } = tested.store;
    const stored = definition('one');
    await definitions.register([stored]);
    await expect(definitions.register([{ ...stored, hash: 'other' }])).rejects.toThrow(
      /belongs to another stored/,
    );
    expect(await definitions.find(stored.id)).toMatchObject(rowOf(stored));
  });

  test('those of executions that have not ended are active; those of tasks to be claimed are waited for', async () => {
    const { store } = tested;
    const { definitions } = store;
    const stored = definition('active');
    await definitions.register([stored]);
    const active = async () => (await definitions.known(['active'])).active;
    const waiting = () => definitions.waiting(['active']);
    expect([await active(), await waiting()]).toEqual([[], []]);

    const one = parallel(1, { definitionId: stored.id });
    const id = await worker.startOne(one, { claims: 0, delayMs: 3_600_000 });
    expect([await active(), await waiting()]).toEqual([[rowOf(stored)], [rowOf(stored)]]);
    expect(await definitions.waiting(['other'])).toEqual([]);

    await store.pause(id, null);
    expect([await active(), await waiting()]).toEqual([[rowOf(stored)], []]);
    await store.cancel(id, null);
    const running = await worker.startOne(one);
    expect([await active(), await waiting()]).toEqual([[rowOf(stored)], []]);
    await worker.complete([outcomeOf(one, running, 0)]);
    expect([await active(), await waiting()]).toEqual([[], []]);
  });

  test('those of tasks that all have a limit are found as others are', async () => {
    const { definitions } = tested.store;
    const stored = definition('limited');
    await definitions.register([stored]);
    const limitKeys = JSON.stringify({ 0: limitKeyOf(`limit of ${stored.id}`, 'a') });
    const one = parallel(1, { definitionId: stored.id });
    const id = await worker.startOne(one, { claims: 0, limitKeys });
    expect((await definitions.known(['limited'])).active).toEqual([rowOf(stored)]);
    expect(await definitions.waiting(['limited'])).toEqual([rowOf(stored)]);
    await tested.store.cancel(id, null);
    expect(await definitions.waiting(['limited'])).toEqual([]);
  });
}
