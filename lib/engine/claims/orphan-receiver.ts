import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { TenantEvents } from '../../events/tenant-events.js';
import type { LeaseWrite, TakenOrphan } from '../../store/port/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import { UnreadableDefinitions } from '../definitions/unreadable-definitions.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import type { ClaimGate } from './claim-gate.js';
import type { Clock } from '../../runtime/clock.js';

export interface OrphanReceiverParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly catalog: Pick<DefinitionCatalog, 'known' | 'find'>;
  readonly gate: ClaimGate;
  /** Records an orphan that was lost too often as Failed. */
  readonly abandon: (orphan: TakenOrphan, definition: RunnableDefinition) => Promise<void>;
  readonly events: TenantEvents;
  /** Called when orphans belong to definitions that this process does not know. */
  readonly definitionsUnknown: () => void;
}

/**
 * Takes orphans. Those that were lost too often become claims of this process, which records them as Failed. It adds
 * them to memory before any comparison, which would take them for unknown claims.
 */
export class OrphanReceiver {
  private readonly logger = new Logger('Cloacina');
  private readonly unreadable: UnreadableDefinitions;

  constructor(private readonly parts: OrphanReceiverParts) {
    this.unreadable = new UnreadableDefinitions(parts.clock);
  }

  /** Whether this process leaves lost tasks of the definition alone for now, because it can't read the definition. */
  leavesAlone(definitionId: string): boolean {
    return (
      this.parts.catalog.known(definitionId) === undefined && this.unreadable.isPaused(definitionId)
    );
  }

  /** @param take - the statement; it writes the lease if it has to */
  take(cause: string, take: (lease: LeaseWrite) => Promise<TakenOrphan[]>): Promise<TakenOrphan[]> {
    const { gate, catalog, definitionsUnknown } = this.parts;
    return gate.withoutRoom(take, async (taken) => {
      if (taken.some(({ definitionId }) => catalog.known(definitionId) === undefined)) {
        definitionsUnknown();
      }
      await Promise.all(taken.map((orphan) => this.follow(orphan, cause)));
      return taken;
    });
  }

  /** A failure here leaves a claim that memory does not have. The next comparison takes it again. */
  private async follow(orphan: TakenOrphan, cause: string): Promise<void> {
    const { abandoned, definitionId, executionId, taskNo } = orphan;
    const { tenant, catalog, abandon, events } = this.parts;
    if (!abandoned && !events.wants('task.recovered')) return;
    try {
      const definition = await catalog.find(definitionId);
      const { workflow } = definition;
      const task = workflow.tasks[taskNo]?.name ?? String(taskNo);
      const type = abandoned ? 'task.abandoned' : 'task.recovered';
      events.taskRecovered(type, { executionId, workflow: workflow.name, task, cause });
      if (abandoned) await abandon(orphan, definition);
    } catch (error) {
      if (!abandoned) return;
      this.unreadable.note(definitionId, error);
      this.logger.error(
        `Tenant "${tenant}": a task of execution ${executionId} was lost too often and could not be recorded as Failed; ` +
          `it will be retried: ${toStoredError(error).message}`,
      );
    }
  }
}
