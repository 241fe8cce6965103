import type { TenantDatabase } from '../tenant-database.js';

/**
 * A role of the store on PostgreSQL. It only forwards: each method selects a statement, its parameters and the decoding of
 * the rows. The statements are documented next to their texts.
 */
export abstract class PostgresRole {
  constructor(protected readonly db: TenantDatabase) {}
}
