import { cloacinaMigrations } from '../../store/postgres/migrations/index.js';
import { firstOf, type TenantCheck } from '../check.js';

/** Migrations of the library that the schema lacks, or that this version of the library doesn't know. */
export const pendingMigrations: TenantCheck = {
  scope: 'tenant',
  id: 'pending-migrations',
  severity: 'error',
  title: 'The schema does not have the migrations of this version',
  reads: 'history',
  find: async ({ schema, applied }) => {
    const names = cloacinaMigrations.map((Migration) => new Migration().name);
    const pending = names.filter((name) => !applied.includes(name));
    const unknown = applied.filter((name) => !names.includes(name));
    return [
      ...(pending.length > 0
        ? [
            {
              detail: `Schema "${schema}" lacks ${firstOf(pending)}.`,
              facts: { pending, unknown: [] },
            },
          ]
        : []),
      ...(unknown.length > 0
        ? [
            {
              severity: 'warning' as const,
              detail: `Schema "${schema}" has ${firstOf(unknown)}, which this version of the library does not know.`,
              facts: { pending: [], unknown },
            },
          ]
        : []),
    ];
  },
  advice: ({ facts }, schema) =>
    (facts['unknown'] as readonly string[]).length > 0
      ? 'Update nestjs-cloacina here to the version of the processes that migrated the schema.'
      : `Run "npx nestjs-cloacina migrate --schema ${schema}", or start a process of this version that migrates at boot.`,
};
