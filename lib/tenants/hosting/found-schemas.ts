import { DuplicateSchemaError } from '../../errors/index.js';

/**
 * The tenants' schemas that discovery has found on each server. It keeps discovery from serving one of two tenants of one
 * schema: which of them would be left to chance, and processes could differ.
 *
 * At the boot, no server's tenants are opened before each server was looked at, or could not be reached.
 */
export class FoundSchemas {
  private readonly byServer = new Map<string, ReadonlySet<string>>();
  private readonly seen = new Set<string>();
  private resolve: () => void = () => undefined;
  private readonly all: Promise<void>;

  constructor(private readonly servers: readonly string[]) {
    this.all = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.countSeen();
  }

  /** Notes what a look has found. Resolves when the other servers were looked at too. */
  async note(server: string | undefined, schemas: ReadonlySet<string>): Promise<void> {
    if (server === undefined) return;
    this.byServer.set(server, schemas);
    this.passed(server);
    await this.all;
  }

  /** Notes that a server can't be looked at now, so the others go on without it. */
  passed(server: string | undefined): void {
    if (server !== undefined) this.seen.add(server);
    this.countSeen();
  }

  /** Forgets what was found on a server that is away for good. Returns it. */
  forget(server: string): ReadonlySet<string> {
    const found = this.byServer.get(server) ?? new Set();
    this.byServer.delete(server);
    return found;
  }

  /** @throws DuplicateSchemaError if another server has the schema too */
  refuseDuplicate(server: string | undefined, schema: string): void {
    if (server === undefined) return;
    const others = [...this.byServer].filter(
      ([name, found]) => name !== server && found.has(schema),
    );
    const [other] = others[0] ?? [];
    if (other !== undefined) throw new DuplicateSchemaError(schema, [other, server]);
  }

  private countSeen(): void {
    if (this.servers.every((server) => this.seen.has(server))) this.resolve();
  }
}
