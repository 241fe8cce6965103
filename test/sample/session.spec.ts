import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { SpanStatusCode } from '@opentelemetry/api';
import { checkout, codeBlocks, textOf } from '../docs/markdown.js';
import { startChild, type TestChild } from '../support/child-process.js';
import { scratchDatabase } from '../support/scratch-database.js';
import { waitFor } from '../support/wait-for.js';
import { buildSample } from './build-sample.js';
import { type CliExit, runBuiltCli } from './built-cli.js';
import type { Question } from './session-app.js';

/** As session-app.ts tells it. */
interface Span {
  readonly name: string;
  readonly status: SpanStatusCode;
  readonly trace: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly object[];
}

interface Telemetry {
  readonly spans: readonly Span[];
  /** The values of the metric `cloacina.execution.ended`. */
  readonly ended: readonly { readonly attributes: object; readonly value: number }[];
}

const HEADING = '## From an alert to the fix';
const RUN = 'run order-fulfilment/ship';

type Asked = Question extends infer Q ? (Q extends Question ? Omit<Q, 'no'> : never) : never;

/**
 * What a user does on a night of failures, with two releases of an application as processes and the commands that docs/cli.md
 * shows. The test knows no command: it takes them from the page, in their order, and the code that the page shows.
 */
describe("A user's session by the commands of docs/cli.md", () => {
  let database = '';
  let app: TestChild;
  let failed = '';
  let trace = '';
  let questions = 0;
  const commands = blocksUnder(HEADING, 'sh')
    .flatMap((code) => code.split('\n'))
    .map((line) => line.split(' ').slice(2));

  beforeAll(async () => {
    [database] = await Promise.all([scratchDatabase(), buildSample()]);
    app = await release('1');
  });

  let failedStep: string | undefined;

  /** A step of the session. After one that failed, the next ones do not run: they would fail for want of it. */
  function step(name: string, run: () => Promise<void>): void {
    it(name, async () => {
      if (failedStep !== undefined) throw new Error(`Not run, because this failed: ${failedStep}`);
      failedStep = name;
      await run();
      failedStep = undefined;
    });
  }

  async function release(no: string): Promise<TestChild> {
    const child = startChild(new URL('session-app.ts', import.meta.url), {
      env: { DATABASE_URL: database, RELEASE: no },
    });
    await child.message(({ kind }: { kind: string }) => kind === 'serving');
    return child;
  }

  async function ask<T>(question: Asked): Promise<T> {
    const no = questions++;
    app.send({ no, ...question });
    const answer = await app.message<T & { no?: number; error?: string }>(
      (reply) => reply.no === no,
    );
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  /** The telemetry of the process, once it is what it has to become. */
  function telemetry(what: string, isThere: (of: Telemetry) => boolean): Promise<Telemetry> {
    const look = async (): Promise<Telemetry | undefined> => {
      const known = await ask<Telemetry>({ kind: 'telemetry' });
      return isThere(known) ? known : undefined;
    };
    return waitFor(look, { what });
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

  step('an order of one of two tenants fails', async () => {
    const order = { kind: 'order', tenant: 'acme', orderId: 17 } as const;
    const { id, status } = await ask<{ id: string; status: string }>(order);
    expect(status).toBe('Failed');
    failed = id;
  });

  step('the command line shows which, and why', async () => {
    const listed = await next('executions list');
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(listed.stdout).toMatch(
      new RegExp(`^${failed} +order-fulfilment +Failed .*no carrier for order 17$`, 'm'),
    );
    const shown = await next('executions show');
    expect(shown.code).toBe(0);
    // Both attempts, and when each of them ended.
    expect(shown.stdout.match(/^ship .* (?:ms|s) +Error: no carrier for order 17$/gm)).toHaveLength(
      2,
    );
    const { code, stdout } = await next('doctor');
    expect(code).toBe(1);
    expect(stdout).toContain('Executions failed within the last 24 hours (failed-executions)');
    expect(stdout).toMatch(/1 execution of workflow "order-fulfilment" failed in task "ship"/);
  });

  step(
    'the trace shows both attempts and their error, and a metric counts the failure',
    async () => {
      const { spans, ended } = await telemetry(
        'the spans of both attempts',
        (known) => known.ended.length > 0 && runsOf(known).length === 2,
      );
      const [start] = spans.filter(({ name }) => name === 'start order-fulfilment');
      trace = start?.trace ?? '';
      const runs = spans.filter(({ name }) => name === RUN);
      expect(runs).toMatchObject(
        [1, 2].map((attempt) => ({
          trace,
          status: SpanStatusCode.ERROR,
          attributes: {
            'cloacina.execution.id': failed,
            'cloacina.tenant': 'acme',
            'cloacina.attempt.number': attempt,
            'error.type': 'Error',
          },
          events: [{ 'exception.message': 'no carrier for order 17' }],
        })),
      );
      expect(ended).toEqual([endedAs('Failed', 'acme')]);
    },
  );

  step('a release mends it, and a retry completes the order', async () => {
    await app.kill('SIGTERM');
    app = await release('2');
    expect(await ask({ kind: 'telemetry' })).toMatchObject({ spans: [], ended: [] });
    expect(await next('executions retry')).toMatchObject({ code: 0 });
    const end = { kind: 'end', tenant: 'acme', id: failed } as const;
    expect(await ask(end)).toMatchObject({ status: 'Completed' });
    const { stdout: completed } = await next('executions list');
    expect(completed).toMatch(new RegExp(`^${failed} +order-fulfilment +Completed `, 'm'));
  });

  step('the trace of the order goes on, and the metric counts its completion', async () => {
    const { spans, ended } = await telemetry(
      'the span of the retry',
      (known) => known.ended.length > 0 && runsOf(known).length === 1,
    );
    expect(spans.filter(({ name }) => name === RUN)).toMatchObject([
      {
        trace,
        status: SpanStatusCode.UNSET,
        attributes: {
          'cloacina.execution.id': failed,
          'cloacina.attempt.outcome': 'completed',
        },
      },
    ]);
    expect(ended).toEqual([endedAs('Completed', 'acme')]);
  });

  step('the purge deletes the order, and nothing of the other tenant', async () => {
    const order = { kind: 'order', tenant: 'globex', orderId: 18 } as const;
    const other = await ask<{ id: string; status: string }>(order);
    expect(other.status).toBe('Completed');
    const blocks = blocksUnder(HEADING, 'ts');
    expect(blocks).toHaveLength(1);
    const code = blocks.join('\n');
    expect(await ask({ kind: 'code', tenant: 'acme', code })).toMatchObject({
      done: { matched: 1, changed: 1 },
    });
    const purged = await next('executions list');
    expect(purged).toMatchObject({ code: 0 });
    expect(purged.stdout).not.toContain(failed);
    const kept = await runBuiltCli(
      ['executions', 'show', other.id, '--tenant', 'globex'],
      database,
    );
    expect(kept).toMatchObject({ code: 0 });
    expect(commands).toEqual([]);
    await app.kill('SIGTERM');
  });
});

function runsOf({ spans }: Telemetry): readonly Span[] {
  return spans.filter(({ name }) => name === RUN);
}

function endedAs(status: string, tenant: string): object {
  const attributes = {
    'cloacina.status': status,
    'cloacina.tenant': tenant,
    'cloacina.workflow': 'order-fulfilment',
  };
  return { attributes, value: 1 };
}

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

/** The code blocks of a language under a heading of docs/cli.md. */
function blocksUnder(heading: string, wanted: string): string[] {
  const lines = textOf('docs/cli.md').split('\n');
  const begin = lines.indexOf(heading) + 1;
  const end = lines.findIndex((line, i) => i >= begin && line.startsWith('## '));
  return codeBlocks('docs/cli.md')
    .filter(({ language, line }) => language === wanted && line > begin && line < end)
    .map(({ code }) => code);
}
