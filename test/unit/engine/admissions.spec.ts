import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase } from '../../../lib/testing/memory-store/index.js';
import { compiled } from '../workflow/some-workflows.js';
import { gate } from '../../support/gate.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

let clock: ManualClock;
let open: MemoryProcess | undefined;
let database: MemoryDatabase;
let ends = gate();
beforeEach(() => {
  clock = new ManualClock();
  database = new MemoryDatabase(clock);
  ends = gate();
});
afterEach(async () => {
  ends.open();
  await settle();
  await open?.close();
  open = undefined;
});

const HOUR_MS = 3_600_000;

const definition = compiled({
  name: 'w',
  tasks: [{ name: 'a' }],
  admission: { concurrency: 1 },
});

async function opened(): Promise<MemoryProcess> {
  const handlers = { a: { run: () => ends.passed } };
  const workflow = { ...registered([{ name: 'a' }], { handlers }), definition };
  open = new MemoryProcess(clock, workflow, { database });
  await open.open();
  return open;
}

/** Lets everything happen that needs no time. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 40; turns++) await clock.advance(0);
}

// The clock stands still, so neither a timer nor a sweep helps.
describe('An execution that waits for its turn', () => {
  it.each(['an end', 'a cancel'])('begins at once after %s of the one before', async (way) => {
    const process = await opened();
    const first = (await process.runner.start('w', {})).id;
    const second = (await process.runner.start('w', {})).id;
    await settle();
    expect((await process.task(second)).status).toBe('Ready');
    if (way === 'an end') ends.open();
    else await process.runner.cancel(first);
    await settle();
    const { status } = await process.task(second);
    expect(status).toBe(way === 'an end' ? 'Completed' : 'Running');
    ends.open();
    await settle();
  });

  it('begins at once after the end of one that was retried', async () => {
    const process = await opened();
    const first = (await process.runner.start('w', {})).id;
    await process.runner.cancel(first);
    await settle();
    await process.runner.retry(first);
    await settle();
    const second = (await process.runner.start('w', {})).id;
    await settle();
    expect([await process.statusOf(first), await process.statusOf(second)]).toEqual([
      'Running',
      'Pending',
    ]);
    await process.runner.cancel(first);
    await settle();
    expect(await process.statusOf(second)).toBe('Running');
  });

  it('asks for its slot at its time after a retry', async () => {
    const process = await opened();
    const { id } = await process.runner.start('w', {}, { delay: '1h' });
    await process.runner.cancel(id);
    await process.close();
    // A process that has no timer of the start.
    const next = await opened();
    await next.runner.retry(id);
    await settle();
    expect((await next.task(id)).status).toBe('Ready');
    ends.open();
    await clock.advance(HOUR_MS + 1_000);
    await settle();
    expect(await next.statusOf(id)).toBe('Completed');
  });
});
