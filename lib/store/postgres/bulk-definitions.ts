import type { FairConnectionPool } from './connections/fair-connection-pool.js';
import { runBulk } from './tenant-statements.js';
import {
  knownDefinitions,
  readKnownDefinitions,
  registerDefinitions,
} from './statements/definitions.js';
import type { KnownDefinitions, NewDefinition, TenantHandle } from '../port/index.js';
import { tablesOf } from './statements/statement.js';

/** Maximum number of schemas per statement. */
const MAX_READ = 50;
const MAX_REGISTER = 50;

/** The key for fair scheduling under which connections for many tenants are requested. */
const MANY = {};

/**
 * Reads the known definitions of these names in many tenants on one login, by index. Undefined if the shared statement
 * failed. Reading the tenant's definitions alone then reports the reason.
 */
export async function readManyDefinitions(
  turns: FairConnectionPool,
  tenants: readonly TenantHandle[],
  names: readonly string[],
): Promise<(KnownDefinitions | undefined)[]> {
  return inParts(tenants, MAX_READ, async (part) => {
    const rows = await turns.withConnection(MANY, (client) =>
      runBulk(client, readKnownDefinitions, part.map(tablesOf), [names]),
    );
    return knownDefinitions(rows, part.length);
  });
}

/**
 * Registers the definitions with each tenant. By index: whether all were written. Undefined if the statement failed.
 */
export async function registerWithManyTenants(
  turns: FairConnectionPool,
  tenants: readonly TenantHandle[],
  definitions: readonly NewDefinition[],
): Promise<(boolean | undefined)[]> {
  const values = definitionValues(definitions);
  return inParts(tenants, MAX_REGISTER, async (part) => {
    const rows = await turns.withConnection(MANY, (client) =>
      runBulk(client, registerDefinitions, part.map(tablesOf), values),
    );
    const written = part.map(() => 0);
    for (const { tenant } of rows) written[tenant] = (written[tenant] ?? 0) + 1;
    return written.map((count) => count === definitions.length);
  });
}

/** The parameters of `registerDefinitions`. */
export function definitionValues(definitions: readonly NewDefinition[]): unknown[] {
  return [
    definitions.map(({ id }) => id),
    definitions.map(({ hash }) => hash),
    definitions.map(({ name }) => name),
    definitions.map(({ version }) => version ?? null),
    definitions.map(({ description }) => description ?? null),
    definitions.map(({ definition }) => JSON.stringify(definition)),
  ];
}

/** Number of concurrent statements. Planning dominates their cost, and the server has several cores for it. */
const AT_ONCE = 2;

/** Sends items in parts. A part fails if one of its schemas is broken or locked; its results are undefined. */
async function inParts<T, R>(
  items: readonly T[],
  size: number,
  send: (part: readonly T[]) => Promise<readonly R[]>,
): Promise<(R | undefined)[]> {
  const parts = Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
  const results: (readonly (R | undefined)[])[] = [];
  const queue = parts.entries();
  const worker = async (): Promise<void> => {
    for (const [i, part] of queue) {
      results[i] = await send(part).catch(() => part.map(() => undefined));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results.flat();
}
