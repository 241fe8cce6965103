import type { FailureClassifier } from '../../runtime/failure.js';
import type { ClaimedTask, TaskKey, WakeClaims, Woken } from '../../store/port/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { ClaimGate } from './claim-gate.js';

export interface TaskWakerParts {
  readonly store: FailureClassifier;
  readonly gate: Pick<ClaimGate, 'besideBacklog' | 'withRoom'>;
  readonly catalog: Pick<DefinitionCatalog, 'claimable'>;
  /** Tasks that must not be claimed by this process now. */
  readonly except: () => readonly TaskKey[];
  readonly consequences: WakeConsequences;
}

export interface WakeConsequences {
  adopt(task: ClaimedTask): void;
  /** Called when woken tasks are left that this process did not claim. */
  leftReady(tasks: number): void;
  /** Called after a lost reply: the statement may have made claims that this process does not know. */
  mayBeWritten(): void;
}

/**
 * Sends the statements that wake tasks: those that give or deliver messages, and those that report the ends of children. Each
 * also claims the tasks that it wakes, as far as there is room. So a task that is woken where it can run begins without a
 * notification and without a statement that claims it.
 */
export class TaskWaker {
  constructor(private readonly parts: TaskWakerParts) {}

  /** @param tasks - the number of tasks that the statement may wake */
  async send<R extends Woken>(
    tasks: number,
    statement: (claims: WakeClaims) => Promise<R>,
  ): Promise<R> {
    const { store, gate, catalog, except, consequences } = this.parts;
    const { ids: definitions, unknownTasks: unknown } = catalog.claimable;
    try {
      return await gate.withRoom(
        gate.besideBacklog(tasks),
        (lease, room) => statement({ lease, room, definitions, unknown, except: except() }),
        (reply) => {
          for (const claim of reply.claims) consequences.adopt(claim);
          if (reply.due > 0) consequences.leftReady(reply.due);
          return reply;
        },
      );
    } catch (error) {
      if (store.classifyFailure(error).mayBeWritten) consequences.mayBeWritten();
      throw error;
    }
  }
}
