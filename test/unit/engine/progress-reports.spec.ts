import { expect, it } from '@jest/globals';
import { ProgressReports } from '../../../lib/engine/execution/progress-reports.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { EngineScene, registered } from './engine-scene.js';

async function scene() {
  const engine = new EngineScene(registered([{ name: 'short' }, { name: 'long' }]));
  const { store } = engine;
  const clock = new ManualClock();
  const written: string[] = [];
  const held = new Set(await engine.running());
  store.reportProgress = async (reports) => {
    written.push(...reports.map(({ value }) => value));
  };
  const reports = new ProgressReports({
    clock,
    store: Object.assign(store, { schema: 'tenant' }),
    holds: (claim) => held.has(claim),
    stored: () => undefined,
  });
  return { clock, written, held, reports };
}

it('the progress of a task that ends within a second is not written', async () => {
  const { clock, written, held, reports } = await scene();
  const [short, long] = held;
  reports.report(short!, '"short"');
  reports.report(long!, '"long"');
  await clock.advance(999);
  held.delete(short!);
  expect(written).toEqual([]);
  await clock.advance(1);
  expect(written).toEqual(['"long"']);
});
