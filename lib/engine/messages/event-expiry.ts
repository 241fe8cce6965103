import type { MessageStore } from '../../store/port/index.js';

/** Events that one statement deletes. */
const MAX_EVENTS = 1_000;

/** Deletes events that are kept no longer, many in a statement and one statement at a time. */
export class EventExpiry {
  private work: Promise<void> | undefined;

  constructor(private readonly store: { readonly messages: Pick<MessageStore, 'expireEvents'> }) {}

  /** Resolves when no such event is left. Rejects if a statement fails; the next sweep calls it again. */
  run(): Promise<void> {
    this.work ??= this.deleteAll().finally(() => (this.work = undefined));
    return this.work;
  }

  private async deleteAll(): Promise<void> {
    while ((await this.store.messages.expireEvents(MAX_EVENTS)) === MAX_EVENTS);
  }
}
