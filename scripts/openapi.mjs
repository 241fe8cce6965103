import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { checkout, isMain, main } from './run.mjs';
import { schemasOf } from './openapi/schemas-of.mjs';

const TYPES = 'lib/dashboard/http-types.ts';
const OUTPUT = path.join(checkout, 'lib/dashboard/openapi/schemas.ts');

/**
 * The types of the dashboard's HTTP API as JSON Schemas, in a file of the library: the types are the source, and the OpenAPI
 * document has no other. `npm run openapi:update` writes it, a test compares it.
 */
export async function openApiSchemas() {
  const { format, resolveConfig } = await import('prettier');
  const schemas = await schemasOf(path.join(checkout, TYPES), path.join(checkout, 'tsconfig.json'));
  const text = `// Made by "npm run openapi:update" from ${TYPES}. Change the types.

/** The schemas of requests and responses, by the name of their types. */
export const SCHEMAS: Readonly<Record<string, object>> = ${JSON.stringify(schemas)};
`;
  return format(text, { ...(await resolveConfig(OUTPUT)), parser: 'typescript' });
}

/** The schemas that are committed. */
export function committedSchemas() {
  return readFileSync(OUTPUT, 'utf8');
}

if (isMain(import.meta))
  await main(async () => {
    writeFileSync(OUTPUT, await openApiSchemas());
    console.log(`Wrote ${path.relative(checkout, OUTPUT)}.`);
  });
