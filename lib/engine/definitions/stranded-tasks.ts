import { Logger } from '@nestjs/common';
import type { DefinitionCatalog } from './definition-catalog.js';
import type { StrandedTaskRow, TenantStore } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Minimum time between two reads, and between two warnings with the same text, in milliseconds. */
const LOOK_INTERVAL_MS = 60_000;
const REPEAT_AFTER_MS = 3_600_000;
/** Maximum number of tasks that a warning names. */
const MAX_NAMED = 5;

/**
 * Warns of tasks that have been due for a minute without a handler in this process. This happens when a task is renamed
 * or a workflow removed before its executions have ended. One warning gives the number of all such tasks.
 */
export class StrandedTasks {
  private readonly logger = new Logger('Cloacina');
  private lookedAt = -Infinity;
  private warnedAt = -Infinity;
  private warned = '';

  constructor(
    private readonly tenant: string,
    private readonly store: Pick<TenantStore, 'recovery'>,
    private readonly catalog: Pick<DefinitionCatalog, 'served' | 'find'>,
    private readonly clock: Clock,
  ) {}

  /** Call when a task is due. Reads the database at most once a minute. */
  async look(): Promise<void> {
    if (this.clock.now() - this.lookedAt < LOOK_INTERVAL_MS) return;
    this.lookedAt = this.clock.now();
    try {
      const { ids, unknownTasks } = this.catalog.served;
      const found = await this.store.recovery.stranded(ids, unknownTasks);
      if (found.length > 0) this.warn(found, await this.describe(found));
    } catch {
      // The next call finds them.
    }
  }

  private warn(found: readonly StrandedTaskRow[], names: string): void {
    if (names === this.warned && this.clock.now() - this.warnedAt < REPEAT_AFTER_MS) return;
    this.warned = names;
    this.warnedAt = this.clock.now();
    const count = found.reduce((sum, row) => sum + row.count, 0);
    const [waits, them] = count === 1 ? ['task has', 'it'] : ['tasks have', 'them'];
    this.logger.warn(
      `Tenant "${this.tenant}": ${count} ${waits} been due for over a minute, and this process has no handler for ` +
        `${them}: ${names}. If a task was renamed or a workflow removed, restore the old name until its executions have ` +
        'ended, or cancel them; recovery.blocked() lists them. If another application serves them, check that it runs.',
    );
  }

  private async describe(found: readonly StrandedTaskRow[]): Promise<string> {
    const named = await Promise.all(found.slice(0, MAX_NAMED).map((row) => this.nameOf(row)));
    const others = found.length - named.length;
    return [...named, ...(others > 0 ? [`${others} more`] : [])].join(', ');
  }

  private async nameOf({ definitionId, taskNo }: StrandedTaskRow): Promise<string> {
    const definition = await this.catalog.find(definitionId).catch(() => undefined);
    if (definition === undefined) return `task ${taskNo} of definition ${definitionId}`;
    const { name, tasks } = definition.workflow;
    return `"${tasks[taskNo]?.name ?? taskNo}" of workflow "${name}"`;
  }
}
