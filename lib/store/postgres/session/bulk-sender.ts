import type pg from 'pg';
import { sendInHalves } from '../../../runtime/in-halves.js';
import { classifyFailure } from '../classify-failure.js';
import type { RawRow } from '../statements/columns.js';
import { tablesOf, type BulkStatement } from '../statements/statement.js';
import { runUnprepared } from '../tenant-statements.js';
import type { TenantHandle } from '../../port/index.js';

/** Maximum number of schemas per statement: round trips are rare, and planning takes only a millisecond or two. */
const SCHEMAS_PER_STATEMENT = 50;

/**
 * Sends statements for many tenants, on the control connection or, without one, on the pool.
 *
 * Many tenants share a statement but must not share its failure. If a schema is broken or locked, the statement is split
 * in halves until the schema is found, and the schema is left out.
 */
export abstract class BulkSender {
  constructor(private readonly client: Pick<pg.Pool, 'query'> | pg.ClientBase) {}

  protected run(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return runUnprepared(this.client, text, values);
  }

  /** Runs a statement on tables of tenants, which may be locked. */
  protected runOnTables(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return this.run(text, values);
  }

  /** {@link runOnTables} before queued statements: other processes consider a process dead if its lease is not renewed in time. */
  protected runFirst(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return this.runOnTables(text, values);
  }

  protected async ask<R>(
    statement: BulkStatement<R>,
    tenants: readonly TenantHandle[],
    values: readonly unknown[] = [],
  ): Promise<R[]> {
    const text = statement.textFor(tenants.map(tablesOf));
    const rows = tenants.length === 0 ? this.run(text, values) : this.runOnTables(text, values);
    return statement.columns.decode(await rows);
  }

  /** Returns the results by index. Undefined for a schema that is broken. */
  protected async inParts<T, R>(
    items: readonly T[],
    send: (part: readonly T[]) => Promise<readonly R[]>,
  ): Promise<(R | undefined)[]> {
    const results: (R | undefined)[] = [];
    for (let i = 0; i < items.length; i += SCHEMAS_PER_STATEMENT) {
      const part = items.slice(i, i + SCHEMAS_PER_STATEMENT);
      results.push(...(await sendInHalves(part, send, isOfConnection)));
    }
    return results;
  }
}

/** A schema that refuses writes, because its tenant moves, concerns no other one. */
function isOfConnection(error: unknown): boolean {
  const { kind, move } = classifyFailure(error);
  return kind === 'connection' && move === undefined;
}
