import type { EntitySchema } from 'typeorm';

// oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for an entity class
export type Entity = Function | EntitySchema;

/** What is no entity is reported with the other options. */
export function entitiesIn(entities: unknown): Entity[] {
  return Array.isArray(entities) ? entities.filter(isEntity) : [];
}

function isEntity(entity: unknown): boolean {
  return typeof entity === 'function' || (typeof entity === 'object' && entity !== null);
}
