import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { checkout, codeBlocks, textOf } from '../docs/markdown.js';
import { startChild, type TestChild } from '../support/child-process.js';
import { scratchDatabase } from '../support/scratch-database.js';
import { buildSample } from './build-sample.js';
import { type CliExit, runBuiltCli } from './built-cli.js';

interface Ended {
  kind: 'ended';
  id: string;
  status: string;
}

const HEADING = '## A failure from start to mend';

/**
 * What a user does on a night of failures, with two releases of an application as processes and the commands that docs/cli.md
 * shows. The test knows no command: it takes them from the page, in their order.
 */
describe("A user's session by the commands of docs/cli.md", () => {
  let database = '';
  let app: TestChild;
  let failed = '';
  const commands = commandsUnder(HEADING);

  beforeAll(async () => {
    [database] = await Promise.all([scratchDatabase(), buildSample()]);
    app = await release('1');
  });

  async function release(no: string): Promise<TestChild> {
    const child = startChild(new URL('session-app.ts', import.meta.url), {
      env: { DATABASE_URL: database, RELEASE: no },
    });
    await child.message(({ kind }: { kind: string }) => kind === 'serving');
    return child;
  }

  /** Starts an order, or waits for the end of the one with the id. */
  async function ended(order: { tenant: string; orderId?: number; id?: string }): Promise<Ended> {
    app.send(order);
    return app.message<Ended>(({ kind }) => kind === 'ended');
  }

  /** Runs the next command of the page. */
  function next(expected: string): Promise<CliExit> {
    const args = commands.shift() ?? [];
    expect(args.slice(0, 2).join(' ')).toContain(expected);
    return runBuiltCli(
      args.map((arg) => (arg === '$ID' ? failed : arg)),
      database,
    );
  }

  it('an order of one of two tenants fails', async () => {
    const { id, status } = await ended({ tenant: 'acme', orderId: 17 });
    expect(status).toBe('Failed');
    failed = id;
  });

  it('the command line shows which, and why', async () => {
    const listed = await next('executions list');
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(listed.stdout).toMatch(
      new RegExp(`^${failed} +order-fulfilment +Failed .*no carrier for order 17$`, 'm'),
    );
    const shown = await next('executions show');
    expect(shown.code).toBe(0);
    // Both attempts, and when each of them ended.
    expect(shown.stdout.match(/^ship .* ms +Error: no carrier for order 17$/gm)).toHaveLength(2);
    const { code, stdout } = await next('doctor');
    expect(code).toBe(1);
    expect(stdout).toContain('Executions failed within the last 24 hours (failed-executions)');
    expect(stdout).toMatch(/1 execution of workflow "order-fulfilment" failed in task "ship"/);
  });

  it('a release mends it, and a retry completes the order', async () => {
    await app.kill('SIGTERM');
    app = await release('2');
    expect(await next('executions retry')).toMatchObject({ code: 0 });
    expect(await ended({ tenant: 'acme', id: failed })).toMatchObject({ status: 'Completed' });
    const { stdout: completed } = await next('executions list');
    expect(completed).toMatch(new RegExp(`^${failed} +order-fulfilment +Completed `, 'm'));
    expect(commands).toEqual([]);
    await app.kill('SIGTERM');
  });
});

describe('The built command line', () => {
  beforeAll(async () => {
    await buildSample();
  });

  it('is what package.json names, and can be started on each system', () => {
    const manifest = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
      version: string;
    };
    const text = readFileSync(path.join(checkout, manifest.bin['nestjs-cloacina'] ?? ''), 'utf8');
    // npm makes the file executable, and on Windows a script that reads this line. It must not end with CR.
    expect(text).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('prints the version of the package, and one document on standard output', async () => {
    const database = await scratchDatabase();
    const { version } = JSON.parse(textOf('package.json')) as { version: string };
    expect(await runBuiltCli(['--version'], database)).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
    // The library logs that it has created the schema, which must not be in between.
    const { code, stdout, stderr } = await runBuiltCli(
      ['migrate', '--schema', 'tenant_acme', '--json'],
      database,
    );
    expect({ code, stderr, document: JSON.parse(stdout) as unknown }).toEqual({
      code: 0,
      stderr: '',
      document: {
        tenants: [
          {
            tenant: 'tenant_acme',
            schema: 'tenant_acme',
            applied: [expect.stringMatching(/^Create/)],
          },
        ],
      },
    });
  });

  it('ends with the code of its failure', async () => {
    const away = new URL(await scratchDatabase());
    away.port = '1';
    away.password = 's3cret-word';
    const failure = await runBuiltCli(['tenants', 'list'], away.href);
    expect(failure).toMatchObject({ code: 1, stdout: '' });
    expect(failure.stderr).not.toContain('s3cret');
    expect(await runBuiltCli(['tenants', 'remove', 'acme'], away.href)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
  });
});

/** The words of each command in the shell blocks under a heading. */
function commandsUnder(heading: string): string[][] {
  const lines = textOf('docs/cli.md').split('\n');
  const begin = lines.indexOf(heading) + 1;
  const end = lines.findIndex((line, i) => i >= begin && line.startsWith('## '));
  return codeBlocks('docs/cli.md')
    .filter(({ language, line }) => language === 'sh' && line > begin && line < end)
    .flatMap(({ code }) => code.split('\n'))
    .map((line) => line.split(' ').slice(2));
}
