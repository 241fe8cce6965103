import { ClaimReceiver } from '../claims/claim-receiver.js';
import { TaskWaker } from '../claims/task-waker.js';
import type { EngineCore } from './core.js';
import type { DefinitionsRoom } from './definitions.js';

export type AdoptionRoom = ReturnType<typeof wireAdoption>;

/** How the claims that statements make come into memory, and the statements that wake tasks. */
export function wireAdoption(core: EngineCore, { catalog }: DefinitionsRoom) {
  const { store, services, address, claims, gate, later, reconcile } = core;
  const receiver = new ClaimReceiver({
    catalog,
    claims,
    // A statement that was sent before the workflow was paused may have claimed it.
    take: (claim) =>
      claim.definition.isPaused() ? later.completer.giveBack(claim) : later.executor.take(claim),
    deadlineIn: (inMs) => services.schedule({ kind: 'deadline', tenant: address, inMs }),
  });
  const waker = new TaskWaker({
    store,
    gate,
    catalog,
    except: () => later.overruns.tasks(),
    consequences: {
      adopt: (task) => receiver.fromRow(task),
      leftReady: (tasks) => later.wakeUps.wakeWorkers(tasks),
      mayBeWritten: reconcile,
    },
  });
  return { receiver, waker };
}
