/** Bytes of contexts that may wait to be started, of all tenants on one login. Each is in memory about twice. */
const MAX_QUEUED_BYTES = 256 * 1024 * 1024;

/** The bytes of what waits for the database. One item alone may be as large as it likes. */
export class QueuedBytes {
  private total = 0;

  constructor(private readonly limit = MAX_QUEUED_BYTES) {}

  get bytes(): number {
    return this.total;
  }

  /** False: there is no room, and nothing was added. */
  add(bytes: number): boolean {
    if (this.total > 0 && this.total + bytes > this.limit) return false;
    this.total += bytes;
    return true;
  }

  remove(bytes: number): void {
    this.total -= bytes;
  }
}
