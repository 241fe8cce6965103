import { Logger } from '@nestjs/common';
import type { MessageStore } from '../../store/port/index.js';

/** Events that one statement deletes. */
const MAX_EVENTS = 1_000;

/**
 * Deletes events that are kept no longer, many in a statement and one statement at a time. Reports events that have not
 * started an execution that they were to start.
 */
export class EventExpiry {
  private readonly logger = new Logger('Cloacina');
  private work: Promise<void> | undefined;

  constructor(
    private readonly tenant: string,
    private readonly store: { readonly messages: Pick<MessageStore, 'expireEvents'> },
  ) {}

  /** Resolves when no such event is left. Rejects if a statement fails; the next sweep calls it again. */
  run(): Promise<void> {
    this.work ??= this.deleteAll().finally(() => (this.work = undefined));
    return this.work;
  }

  private async deleteAll(): Promise<void> {
    let deleted: number;
    do {
      const { events, unstarted } = await this.store.messages.expireEvents(MAX_EVENTS);
      deleted = events;
      if (unstarted.length > 0) this.report(unstarted);
    } while (deleted === MAX_EVENTS);
  }

  private report(workflows: readonly string[]): void {
    const names = workflows.map((name) => JSON.stringify(name)).join(', ');
    this.logger.warn(
      `Tenant "${this.tenant}": events were deleted at the end of their keepFor before they had started ${names}. No process ` +
        'serves the workflow with this @StartOn, or it refused their input.',
    );
  }
}
