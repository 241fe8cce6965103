import { expect, test } from '@jest/globals';
import type { TestedStore } from './tested-store.js';
import { noLease, parallel, startOf } from './workflows.js';

const of = parallel(2);
let keys = 0;
const newKey = (): string => `conformance key ${keys++}`;

export function describeIdempotencyKeys(tested: TestedStore): void {
  const worker = tested.worker();

  const holdersOf = async (...wanted: string[]) =>
    tested.store.findByKeys(wanted.map((key) => ({ workflow: 'test', key })));

  test('a key that is taken keeps its execution, whatever the input and however it ended', async () => {
    const key = newKey();
    const id = await worker.startOne(of, { idempotencyKey: key });
    await tested.store.cancel(id, null);
    const before = await tested.rowsOf(id);
    const again = startOf(of, { idempotencyKey: key, input: '{"other":1}' });

    expect((await tested.store.start([again], noLease(), true)).created).toEqual(new Set());
    expect(await holdersOf(key)).toEqual([id]);
    expect(await tested.rowsOf(id)).toEqual(before);
    expect((await tested.rowsOf(again.id)).tasks).toEqual([]);
  });

  test('a key is of its workflow', async () => {
    const key = newKey();
    const other = parallel(1, { name: 'other' });
    const items = [startOf(of, { idempotencyKey: key }), startOf(other, { idempotencyKey: key })];
    expect(await worker.startKeyed(items)).toEqual(items.map(({ id }) => id));
    expect(
      await tested.store.findByKeys([
        { workflow: 'other', key },
        { workflow: 'none', key },
        { workflow: 'test', key },
      ]),
    ).toEqual([items[1]?.id, undefined, items[0]?.id]);
  });

  test('of one key twice in a batch the first is started', async () => {
    const key = newKey();
    const items = [startOf(of, { idempotencyKey: key }), startOf(of, { idempotencyKey: key })];
    expect(await worker.startKeyed(items)).toEqual([items[0]?.id]);
  });

  test('of one key in many batches at once one is started', async () => {
    const key = newKey();
    const items = Array.from({ length: 8 }, () => startOf(of, { idempotencyKey: key }));
    const created = await Promise.all(items.map((item) => worker.startKeyed([item])));
    expect(created.flat()).toHaveLength(1);
    expect(await holdersOf(key)).toEqual(created.flat());
  });

  test('keys are stored as they are written', async () => {
    const key = newKey();
    const odd = ['"', "'", '\\', '{,}', 'null', 'ü\n', '$1', ''].map((text) => text + key);
    const items = odd.map((idempotencyKey) => startOf(of, { idempotencyKey }));
    await worker.startKeyed(items);
    expect(await holdersOf(...odd)).toEqual(items.map(({ id }) => id));
  });

  test('starts without a key never meet', async () => {
    expect(await worker.startKeyed([startOf(of), startOf(of)])).toHaveLength(2);
  });
}
