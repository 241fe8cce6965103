import { expect, it } from '@jest/globals';
import { StepServices } from '../../../lib/engine/waits/step-services.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import type { StepRecord, TaskKey } from '../../../lib/store/port/index.js';
import { gate } from '../../support/gate.js';
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
  await store.recordSteps([doneStep(a!, 's')]);
  expect((await services.read(a!)).get('s')).toMatchObject({ result: '1' });
  expect(reads).toEqual([2, 1]);
});

it('Tasks that go on after a step share the statement of their next one with the tasks that came during the first', async () => {
  const names = ['a', 'b', 'c', 'd'];
  const scene = new EngineScene(registered(names.map((name) => ({ name }))));
  const claims = await scene.running();
  const { clock, store } = scene;
  const sent: number[] = [];
  const answered = gate();
  store.recordSteps = async (records) => {
    sent.push(records.length);
    await answered.passed;
    return records.map(() => ({ dueInMs: null }));
  };
  const services = new StepServices({
    clock,
    store,
    maxSteps: 10,
    maxResultSize: 100,
    maxStepsSize: 10_000,
    stored: () => undefined,
    refused: () => undefined,
  });
  /** Records three steps, with some microtasks of user code between them. */
  const run = async (claim: TaskClaim): Promise<void> => {
    for (const name of ['one', 'two', 'three']) {
      await services.record(claim, doneStep(claim, name));
      for (let hop = 0; hop < 20; hop++) await Promise.resolve();
    }
  };
  const early = claims.slice(0, 2).map(run);
  await clock.advance(0);
  const late = claims.slice(2).map(run);
  answered.open();
  for (let turn = 0; turn < 6; turn++) await clock.advance(0);
  await Promise.all([...early, ...late]);
  expect(sent).toEqual([2, 4, 4, 2]);
});

function doneStep({ executionId, taskNo, itemNo, token }: TaskClaim, name: string): StepRecord {
  return {
    executionId,
    taskNo,
    itemNo,
    token,
    name,
    kind: 'step',
    status: 'Done',
    result: '1',
    error: null,
    childId: null,
    listensFor: null,
    due: null,
  };
}
