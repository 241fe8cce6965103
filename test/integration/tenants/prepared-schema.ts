import { prepareSchema } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';

/** A new schema with the library's tables, where the file's database has a spare one. The boot of its tenant makes it otherwise. */
export async function preparedSchema(label?: string): Promise<string> {
  const schema = freshSchema(label);
  await prepareSchema(schema);
  return schema;
}
