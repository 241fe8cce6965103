import { beforeEach, describe, expect, it } from '@jest/globals';
import { TaskWaker } from '../../../lib/engine/claims/task-waker.js';
import type { ClaimedTask, WakeClaims, Woken } from '../../../lib/store/port/index.js';
import { EngineScene } from './engine-scene.js';

const NOTHING: Woken = { claims: [], due: 0 };
const EXCEPT = [{ executionId: 'x', taskNo: 0, itemNo: 0 }];

describe('TaskWaker', () => {
  let scene: EngineScene;
  let waker: TaskWaker;
  let adopted: { readonly claim: ClaimedTask; readonly reserved: number }[];
  let left: number[];
  let reconciled: number;
  beforeEach(() => {
    scene = new EngineScene();
    [adopted, left, reconciled] = [[], [], 0];
    waker = new TaskWaker({
      store: scene.store,
      gate: scene.gate,
      catalog: {
        claimable: {
          ids: ['7'],
          unknownTasks: [['7', 1]],
          limitedIds: [],
          limitedBy: new Map(),
          aging: [],
        },
      },
      except: () => EXCEPT,
      consequences: {
        adopt: (claim) => adopted.push({ claim, reserved: scene.queue.reserved }),
        leftReady: (tasks) => left.push(tasks),
        mayBeWritten: () => reconciled++,
      },
    });
  });

  it('lets a statement claim as many tasks as there is room for', async () => {
    let given: WakeClaims | undefined;
    const keep = async (claims: WakeClaims): Promise<Woken> => {
      given = claims;
      return NOTHING;
    };
    await waker.send(3, keep);
    expect(given).toMatchObject({
      room: 3,
      definitions: ['7'],
      unknown: [['7', 1]],
      except: EXCEPT,
    });
    expect(given?.lease.write).toBe(true);
    scene.queue.occupy(10);
    await waker.send(3, keep);
    expect(given).toMatchObject({ room: 0, lease: { write: false } });
  });

  it('adopts the claims while their room is reserved, and wakes others for the rest', async () => {
    const claim = { executionId: 'a' } as ClaimedTask;
    await waker.send(2, async () => ({ claims: [claim], due: 4 }));
    expect(adopted).toEqual([{ claim, reserved: 2 }]);
    expect(left).toEqual([4]);
    expect(scene.queue.reserved).toBe(0);
    await waker.send(2, async () => NOTHING);
    expect(left).toEqual([4]);
  });

  it('has memory compared with the database after a lost reply, and passes the error on', async () => {
    const lost = Object.assign(new Error('gone'), { code: 'ECONNRESET' });
    const store = { classifyFailure: () => ({ kind: 'connection', mayBeWritten: true }) } as never;
    const careful = new TaskWaker({ ...partsOf(waker), store });
    await expect(careful.send(1, () => Promise.reject(lost))).rejects.toBe(lost);
    expect(reconciled).toBe(1);
    expect(scene.queue.reserved).toBe(0);
    await expect(waker.send(1, () => Promise.reject(new Error('bug')))).rejects.toThrow('bug');
    expect(reconciled).toBe(1);
  });
});

function partsOf(waker: TaskWaker): ConstructorParameters<typeof TaskWaker>[0] {
  return Reflect.get(waker, 'parts') as ConstructorParameters<typeof TaskWaker>[0];
}
