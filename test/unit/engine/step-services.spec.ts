import { expect, it } from '@jest/globals';
import { StepServices } from '../../../lib/engine/waits/step-services.js';
import type { TaskKey } from '../../../lib/store/port/index.js';
import { EngineScene, registered } from './engine-scene.js';

it('The steps of a task are read once for all that ask together, and anew for those that ask later', async () => {
  const scene = new EngineScene(registered([{ name: 'a' }, { name: 'b' }]));
  const [a, b] = await scene.running();
  const services = new StepServices({
    clock: scene.clock,
    store: scene.store,
    maxSteps: 10,
    maxStepsSize: 33_554_432,
    maxResultSize: 100,
    stored: () => undefined,
    refused: () => undefined,
  });
  const reads: number[] = [];
  const { store } = scene;
  const real = store.steps.bind(store);
  store.steps = (tasks: readonly TaskKey[]) => {
    reads.push(tasks.length);
    return real(tasks);
  };
  const asked = Array.from({ length: 200 }, () => services.read(a!));
  const other = services.read(b!);
  expect((await Promise.all(asked)).map(({ size }) => size)).toEqual(
    Array.from({ length: 200 }, () => 0),
  );
  await other;
  const { executionId, taskNo, itemNo, token } = a!;
  await store.recordSteps([
    {
      executionId,
      taskNo,
      itemNo,
      token,
      name: 's',
      kind: 'step',
      status: 'Done',
      result: '1',
      error: null,
      childId: null,
      listensFor: null,
      due: null,
    },
  ]);
  expect((await services.read(a!)).get('s')).toMatchObject({ result: '1' });
  expect(reads).toEqual([2, 1]);
});
