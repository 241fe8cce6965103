import { Logger } from '@nestjs/common';
import { connectAdmin, createDatabase, databaseUrl } from './postgres.js';
import { withMigrators } from '../../lib/tenants/migrations/with-migrators.js';

/**
 * Makes the database that those of the test files are copies of. It has schemas with the library's tables: to make a hundred
 * tables and indexes takes the server longer than most tests, and a copy of their files next to nothing. Their history has
 * another name, so nothing that looks for tenants finds them.
 */
Logger.overrideLogger(['warn', 'error', 'fatal']);
const [name = '', count = ''] = process.argv.slice(2);
const schemas = Array.from({ length: Number(count) }, (_, n) => `spare_${n}`);
const server = await connectAdmin();
await createDatabase(server, name);
await server.end();
const url = new URL(databaseUrl());
url.pathname = `/${name}`;
await withMigrators({ databaseUrl: url.href }, schemas, async (migrators) => {
  for (const migrator of migrators) await migrator.run();
});
const owner = await connectAdmin(url.href);
for (const schema of schemas) {
  await owner.query(`ALTER TABLE ${schema}.cloacina_migrations RENAME TO spare_migrations`);
}
await owner.end();
