import type { MemoryTables } from '../memory-tables.js';

/** A role of the store in memory. It only forwards: each statement is documented at its function. */
export abstract class MemoryRole {
  constructor(protected readonly tables: MemoryTables) {}

  protected run<T>(statement: (tables: MemoryTables) => T): Promise<T> {
    return this.tables.run(() => statement(this.tables));
  }
}
