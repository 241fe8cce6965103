import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startChild, type TestChild } from '../support/child-process.js';
import { queryIn } from '../support/open-tenant.js';
import { freshSchema } from '../support/postgres.js';
import type { VersionedMessage } from '../integration/fleet/versioned-process.js';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const SCRIPT = 'test/integration/fleet/versioned-process';

/**
 * Other builds of the library, and what makes them differ from this one: the next one stores plain definitions in a format
 * that this one can't read, and can't read those of this one. The older one knows no nodes.
 */
const BUILDS = {
  next: ['PLAIN_FORMAT = 1;', 'PLAIN_FORMAT = 3;'],
  older: ['    PLAIN_FORMAT,\n    EXTENDED_FORMAT\n', '    PLAIN_FORMAT\n'],
} as const;
const folders: string[] = [];
const builds = new Map<string, string>();
beforeAll(async () => {
  const thisBuild = process.env['CLOACINA_TEST_COMPILED'];
  if (thisBuild === undefined) throw new Error('This test needs a checkout that it can write to.');
  for (const [name, [now, then]] of Object.entries(BUILDS)) {
    const folder = await mkdtemp(path.join(tmpdir(), `cloacina-${name}-`));
    folders.push(folder);
    await cp(thisBuild, folder, { recursive: true });
    await symlink(path.join(checkout, 'node_modules'), path.join(folder, 'node_modules'));
    const file = path.join(folder, 'lib/workflow/definition-format.js');
    const code = await readFile(file, 'utf8');
    expect(code).toContain(now);
    await writeFile(file, code.replace(now, then));
    builds.set(name, folder);
  }
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

function start(schema: string, build: 'this' | 'next' | 'older', hasNodes = false): TestChild {
  const folder = builds.get(build);
  const script =
    folder === undefined
      ? new URL('../integration/fleet/versioned-process.ts', import.meta.url)
      : path.join(folder, `${SCRIPT}.js`);
  const env = { VERSIONED_SCHEMA: schema, ...(hasNodes ? { VERSIONED_NODES: 'yes' } : {}) };
  return startChild(script, { env });
}

async function completed(child: TestChild, count: number): Promise<void> {
  const { kind, text } = await child.message<VersionedMessage>(
    (sent) => sent.kind === 'failed' || (sent.count ?? 0) >= count,
  );
  if (kind === 'failed') throw new Error(text);
}

/** Stops the processes. Returns how many executions each has started and seen Completed. */
async function stop(children: readonly TestChild[]): Promise<number[]> {
  for (const child of children) child.send({});
  const stopped = await Promise.all(
    children.map((child) => child.message<VersionedMessage>(({ kind }) => kind === 'stopped')),
  );
  return stopped.map(({ count = 0 }) => count);
}

/** The number of executions by the format of their definition and their status. */
function executions(schema: string): Promise<object[]> {
  return queryIn(
    schema,
    `SELECT (d.definition->>'format')::integer AS format, x.status, count(*)::integer AS count
     FROM cloacina_workflow_execution x JOIN cloacina_workflow_definition d ON d.id = x.definition_id
     GROUP BY 1, 2 ORDER BY 1, 2`,
  );
}

describe('Builds whose definition formats differ', () => {
  it('run one workflow in one schema, and the older one still boots', async () => {
    const schema = freshSchema();
    const first = start(schema, 'this');
    await completed(first, 5);
    const next = start(schema, 'next');
    await completed(next, 5);
    // Rolled back: a process of the older build boots beside definitions that it can't read.
    const late = start(schema, 'this');
    await completed(late, 5);
    const [one = 0, two = 0, three = 0] = await stop([first, next, late]);
    expect(await executions(schema)).toEqual([
      { format: 1, status: 'Completed', count: one + three },
      { format: 3, status: 'Completed', count: two },
    ]);
    for (const { output } of [first, late]) expect(output).not.toMatch(/ERROR/);
  });

  it('leave executions with nodes to those that know them, and share the others', async () => {
    const schema = freshSchema();
    const older = start(schema, 'older');
    await completed(older, 5);
    const plain = start(schema, 'this');
    await completed(plain, 5);
    const nodes = start(schema, 'this', true);
    await completed(nodes, 5);
    // Rolled back beside an execution that it can't read.
    const late = start(schema, 'older');
    await completed(late, 5);
    const [one = 0, two = 0, three = 0, four = 0] = await stop([older, plain, nodes, late]);
    expect(await executions(schema)).toEqual([
      { format: 1, status: 'Completed', count: one + two + four },
      { format: 2, status: 'Completed', count: three },
      { format: 2, status: 'Pending', count: 1 },
    ]);
    // The definition without nodes is one and the same for both builds.
    expect(await queryIn(schema, 'SELECT id FROM cloacina_workflow_definition')).toHaveLength(2);
    expect(late.output).toContain('has the format 2, and this release reads 1.');
    expect(late.output).toContain('are left to processes that can read it');
    for (const { output } of [older, plain, late]) expect(output).not.toMatch(/ERROR/);
  });
});
