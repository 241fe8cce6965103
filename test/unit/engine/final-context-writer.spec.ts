import { expect, it } from '@jest/globals';
import { FinalContextWriter } from '../../../lib/engine/memory/final-context-writer.js';
import { InputReader } from '../../../lib/engine/memory/input-reader.js';
import { EngineScene, registered } from './engine-scene.js';

it('a final context is written with the outcomes that this process has to read first', async () => {
  const scene = new EngineScene(registered([{ name: 'a' }, { name: 'b' }]));
  const [claim, other] = await scene.running({ input: '{"given":1}' });
  const { executionId, cache, task } = claim!;
  cache.record(task.no, { status: 'Completed', view: cache.inputOf(task.no).view });
  const read: number[] = [];
  scene.store.outcomes = async (tasks) => {
    read.push(...tasks.map(({ taskNo }) => taskNo));
    const outcome = {
      status: 'Completed',
      skipReason: null,
      error: null,
      output: '{"b":2}',
      deletedKeys: [],
    };
    return tasks.map((key) => ({ ...key, ...outcome, token: other!.token + 1 }));
  };
  const written: string[] = [];
  scene.store.writeFinalContext = async (id, context) => void written.push(id, context);
  const writer = new FinalContextWriter(
    scene.store,
    new InputReader(scene.store, scene.clock),
    scene.clock,
  );
  writer.add(claim!);
  await writer.whenIdle();
  expect(read).toEqual([other!.task.no]);
  expect(written).toEqual([executionId, '{"b":2,"given":1}']);
});
