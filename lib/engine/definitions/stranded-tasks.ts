import { Logger } from '@nestjs/common';
import type { DefinitionCatalog } from './definition-catalog.js';
import type { StrandedTaskRow, TenantStore } from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** The shortest time between two looks, and between two warnings that say the same, in milliseconds. */
const LOOK_INTERVAL_MS = 60_000;
const REPEAT_AFTER_MS = 3_600_000;
/** Tasks that a warning names at most. */
const MAX_NAMED = 5;

/**
 * Warns of tasks that have been due for a minute and that this process has no handler for: a task was renamed, or a
 * workflow was removed, while executions of it had not ended. They are counted, not told of one by one.
 */
export class StrandedTasks {
  private readonly logger = new Logger('Cloacina');
  private lookedAt = -Infinity;
  private warnedAt = -Infinity;
  private warned = '';

  constructor(
    private readonly tenant: string,
    private readonly store: Pick<TenantStore, 'recovery'>,
    private readonly catalog: Pick<DefinitionCatalog, 'claimable' | 'find'>,
    private readonly clock: Clock,
  ) {}

  /** Something is due. Asks at most once a minute, whatever the result. */
  async look(): Promise<void> {
    if (this.clock.now() - this.lookedAt < LOOK_INTERVAL_MS) return;
    this.lookedAt = this.clock.now();
    try {
      const { ids, unknownTasks } = this.catalog.claimable;
      const found = await this.store.recovery.stranded(ids, unknownTasks);
      if (found.length > 0) this.warn(found, await this.describe(found));
    } catch {
      // The next look finds them.
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
        'ended, or cancel them; recovery.blocked() lists them. If another application serves them, see that it runs.',
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
