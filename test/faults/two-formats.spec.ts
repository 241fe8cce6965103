import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startChild, type TestChild } from '../support/child-process.js';
import { queryIn } from '../support/open-tenant.js';
import { freshSchema } from '../support/postgres.js';
import type { VersionedMessage } from '../integration/fleet/versioned-process.js';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const SCRIPT = 'test/integration/fleet/versioned-process';
const FORMAT = 'DEFINITION_FORMAT = 1;';

/** A second build of the library, which stores definitions in the next format and can't read today's. */
let nextBuild: string;
beforeAll(async () => {
  const thisBuild = process.env['CLOACINA_TEST_COMPILED'];
  if (thisBuild === undefined) throw new Error('This test needs a checkout that it can write to.');
  nextBuild = await mkdtemp(path.join(tmpdir(), 'cloacina-next-'));
  await cp(thisBuild, nextBuild, { recursive: true });
  await symlink(path.join(checkout, 'node_modules'), path.join(nextBuild, 'node_modules'));
  const file = path.join(nextBuild, 'lib/workflow/compile.js');
  const code = await readFile(file, 'utf8');
  expect(code).toContain(FORMAT);
  await writeFile(file, code.replace(FORMAT, 'DEFINITION_FORMAT = 2;'));
});
afterAll(() => rm(nextBuild, { recursive: true, force: true }));

function start(schema: string, build: 'this' | 'next'): TestChild {
  const script =
    build === 'this'
      ? new URL('../integration/fleet/versioned-process.ts', import.meta.url)
      : path.join(nextBuild, `${SCRIPT}.js`);
  return startChild(script, { env: { VERSIONED_SCHEMA: schema } });
}

async function completed(child: TestChild, count: number): Promise<void> {
  const { kind, text } = await child.message<VersionedMessage>(
    (sent) => sent.kind === 'failed' || (sent.count ?? 0) >= count,
  );
  if (kind === 'failed') throw new Error(text);
}

test('builds whose definition formats differ run one workflow in one schema, and the older one still boots', async () => {
  const schema = freshSchema();
  const first = start(schema, 'this');
  await completed(first, 5);
  const next = start(schema, 'next');
  await completed(next, 5);
  // Rolled back: a process of the older build boots beside definitions that it can't read.
  const late = start(schema, 'this');
  await completed(late, 5);
  const children = [first, next, late];
  for (const child of children) child.send({});
  const stopped = await Promise.all(
    children.map((child) => child.message<VersionedMessage>(({ kind }) => kind === 'stopped')),
  );

  const counts = stopped.map(({ count = 0 }) => count);
  const executions = await queryIn<{ format: number; status: string; count: number }>(
    schema,
    `SELECT (d.definition->>'format')::integer AS format, x.status, count(*)::integer AS count
     FROM cloacina_workflow_execution x JOIN cloacina_workflow_definition d ON d.id = x.definition_id
     GROUP BY 1, 2 ORDER BY 1`,
  );
  expect(executions).toEqual([
    { format: 1, status: 'Completed', count: (counts[0] ?? 0) + (counts[2] ?? 0) },
    { format: 2, status: 'Completed', count: counts[1] },
  ]);
  for (const { output } of [first, late]) expect(output).not.toMatch(/ERROR/);
});
