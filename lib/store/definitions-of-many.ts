import type { ConnectionTurns } from './connection-turns.js';
import { runUnprepared } from './statement-pool.js';
import { readDefinitionsOfMany, registerWithMany } from './statements/definitions-of-many.js';
import type { RawRow } from './statements/statement.js';
import type { NewDefinition, StoredDefinitionRow, TenantTables } from './store.js';

/** Schemas to one statement. */
const MAX_READ = 100;
const MAX_REGISTER = 50;

/** In whose name the connections are asked for: that of no tenant. */
const MANY = {};

/**
 * The stored definitions of many tenants on one login, by index, each tenant's from the oldest to the newest. Undefined
 * where they could not be read with those of others: who asks for them alone learns why.
 */
export async function readManyDefinitions(
  turns: ConnectionTurns,
  tenants: readonly TenantTables[],
): Promise<(StoredDefinitionRow[] | undefined)[]> {
  return inParts(tenants, MAX_READ, async (part) => {
    const text = readDefinitionsOfMany(part);
    return byTenant(part, await turns.lend(MANY, (client) => runUnprepared(client, text, [])));
  });
}

/** Registers the definitions with each of the tenants; by index, what they are there, or undefined as above. */
export async function registerWithManyTenants(
  turns: ConnectionTurns,
  tenants: readonly TenantTables[],
  definitions: readonly NewDefinition[],
): Promise<(StoredDefinitionRow[] | undefined)[]> {
  const values = [
    definitions.map(({ hash }) => hash),
    definitions.map(({ name }) => name),
    definitions.map(({ version }) => version ?? null),
    definitions.map(({ description }) => description ?? null),
    definitions.map(({ definition }) => JSON.stringify(definition)),
  ];
  return inParts(tenants, MAX_REGISTER, async (part) => {
    const text = registerWithMany(part);
    return byTenant(part, await turns.lend(MANY, (client) => runUnprepared(client, text, values)));
  });
}

/** Statements at a time. Planning is most of what they cost, and the server has more than one core for it. */
const AT_ONCE = 2;

/** A part that fails, because one schema is broken or locked, is left to those who ask for one at a time. */
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

function byTenant(
  tenants: readonly TenantTables[],
  rows: readonly RawRow[],
): StoredDefinitionRow[][] {
  const found: StoredDefinitionRow[][] = tenants.map(() => []);
  for (const [tenant, id, hash, name] of rows) {
    found[Number(tenant)]?.push({ id: Number(id), hash: hash ?? '', name: name ?? '' });
  }
  return found;
}
