import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import pg from 'pg';

/** Schemas of a test file that are there before its first test. It makes further ones itself. */
const SPARES = 4;

/**
 * Makes the database of `make-template.ts`, and names it and the number of its schemas in the environment.
 *
 * @param compiled - the folder of `compile-for-children.mjs`
 */
export async function makeTemplate(compiled) {
  const name = `test_template_${randomBytes(5).toString('hex')}`;
  const script = fileURLToPath(new URL('make-template.ts', import.meta.url));
  const file = path.relative(path.join(import.meta.dirname, '../..'), script);
  const child = spawn(
    process.execPath,
    [path.join(compiled, file.replace(/\.ts$/, '.js')), name, String(SPARES)],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${script} failed.`);
  process.env.CLOACINA_TEST_TEMPLATE = name;
  process.env.CLOACINA_TEST_SPARES = String(SPARES);
}

/** For a server that was there before the run. */
export async function dropTemplate() {
  const name = process.env.CLOACINA_TEST_TEMPLATE;
  if (name === undefined) return;
  delete process.env.CLOACINA_TEST_TEMPLATE;
  delete process.env.CLOACINA_TEST_SPARES;
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await client.end();
}
