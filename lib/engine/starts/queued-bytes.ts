/**
 * Maximum size of the contexts of waiting starts, in bytes, for all tenants on one login. Memory has each about twice.
 */
const MAX_QUEUED_BYTES = 256 * 1024 * 1024;

/** Limits the bytes of items that wait for the database. A single item may be of any size. */
export class QueuedBytes {
  private total = 0;
  private items = 0;

  constructor(private readonly limit = MAX_QUEUED_BYTES) {}

  get bytes(): number {
    return this.total;
  }

  /** The number of items. */
  get count(): number {
    return this.items;
  }

  /** Adds an item. Returns false, and adds nothing, if there is no room. */
  add(bytes: number): boolean {
    if (this.total > 0 && this.total + bytes > this.limit) return false;
    this.total += bytes;
    this.items++;
    return true;
  }

  remove(bytes: number): void {
    this.total -= bytes;
    this.items--;
  }
}
