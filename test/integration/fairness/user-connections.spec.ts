import { beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { ConnectionsExhaustedError } from '../../../lib/errors/index.js';
import {
  ConnectionLimit,
  type Place,
  runWithin,
} from '../../../lib/store/postgres/connections/connection-limit.js';
import { type Gate, gate } from '../../support/gate.js';
import { enginePartOf, type OpenTenant, openTenants } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

let work: (context: TaskContext) => Promise<object | void> = () => Promise.resolve();
const once = { transactional: true, retry: { maxAttempts: 1 } } as const;
const holding = defineWorkflow('holding')
  .task('only', once, (context) => work(context))
  .build();
const patient = defineWorkflow('patient')
  .task('only', { transactional: true, retry: { maxAttempts: 4, delay: 10 } }, (context) =>
    work(context),
  )
  .build();

/** Of a pool of ten, so many are for user code. */
const CONNECTIONS = 4;

let busy: OpenTenant;
let other: OpenTenant;
let quiet: OpenTenant;
let small: OpenTenant;
beforeAll(async () => {
  const schemas = [freshSchema('busy'), freshSchema('other'), freshSchema('quiet')];
  [busy, other, quiet] = (await openTenants(
    [holding, patient],
    schemas.map((schema) => ({ schema, poolSize: 10 })),
  )) as [OpenTenant, OpenTenant, OpenTenant];
  // Another process: with one connection for user code.
  [small] = (await openTenants([holding, patient], [{ poolSize: 3 }])) as [OpenTenant];
});

describe('Connections for user code', () => {
  it('go to the tenants in turn: one waits for one of a flood, and not for all of it', async () => {
    const begun: Gate[] = [];
    work = async () => {
      const own = gate();
      begun.push(own);
      await own.passed;
    };
    const results = [busy, other].flatMap(({ runner }) =>
      Array.from({ length: 6 }, () => runner.execute(holding)),
    );
    await waitFor(() => begun.length === CONNECTIONS);
    const answers: unknown[] = [];
    const answer = quiet.dataSource.query('SELECT 1 AS one').then((rows: unknown) => {
      answers.push(rows);
      return rows;
    });
    let ended = 0;
    while (answers.length === 0 && ended < results.length) {
      begun[ended++]?.open();
      await waitFor(() => answers.length > 0 || begun.length === CONNECTIONS + ended);
    }
    expect(await answer).toEqual([{ one: 1 }]);
    // One of each tenant that came before.
    expect(ended).toBeLessThanOrEqual(3);

    work = () => Promise.resolve();
    for (const each of begun) each.open();
    for (const result of results) expect((await result).status).toBe('Completed');
  });
});

describe('A second connection within a transaction', () => {
  let refusals: unknown[] = [];
  beforeEach(() => {
    refusals = [];
  });

  /** All of them have a connection, and ask for another one then. */
  function greedy(): (context: TaskContext) => Promise<void> {
    const all = gate();
    let begun = 0;
    return async ({ dataSource, attempt }) => {
      if (++begun >= CONNECTIONS) all.open();
      if (attempt === 1) await all.passed;
      try {
        await dataSource.query('SELECT 1');
      } catch (error) {
        refusals.push(error);
        throw error;
      }
    };
  }

  /** As many as there are connections, of two tenants. */
  const all = (workflow: typeof holding): ReturnType<OpenTenant['runner']['execute']>[] =>
    [busy, other, busy, other].map(({ runner }) => runner.execute(workflow, {}, { settled: true }));

  it('is refused where all are held by such transactions, and the others go on', async () => {
    work = greedy();
    const results = all(holding);
    const beside = quiet.dataSource.query('SELECT 1 AS one');
    const ended = await Promise.all(results);
    expect(await beside).toEqual([{ one: 1 }]);
    const failed = ended.filter(({ status }) => status === 'Failed');
    expect(failed.map(({ error }) => error?.code)).toEqual(['CONNECTIONS_EXHAUSTED']);
    expect(ended.filter(({ status }) => status === 'Completed')).toHaveLength(CONNECTIONS - 1);
    expect(refusals).toEqual([expect.any(ConnectionsExhaustedError)]);
    expect(String(refusals[0])).toMatch(/Use the transaction's own manager.*raise poolSize/);
  });

  it('is had by all of them where they try again', async () => {
    work = greedy();
    for (const result of all(patient)) expect((await result).status).toBe('Completed');
  });

  it('is refused where user code may have one only, in dataSource.transaction() too', async () => {
    work = async ({ dataSource }) => void (await dataSource.query('SELECT 1'));
    expect((await small.runner.execute(holding, {}, { settled: true })).error?.code).toBe(
      'CONNECTIONS_EXHAUSTED',
    );
    await expect(
      small.dataSource.transaction(() => small.dataSource.query('SELECT 1')),
    ).rejects.toThrow(ConnectionsExhaustedError);
    expect(await small.dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('is not what another task asks for that the handler has started', async () => {
    const started: string[] = [];
    work = async (context) => {
      if (context.has('child')) return;
      started.push((await small.runner.start(holding, { child: true })).id);
      await waitFor(async () => {
        const [row] = await small.query<{ status: string }>(
          `SELECT status FROM cloacina_task_execution WHERE execution_id = '${started[0]}'`,
        );
        return row?.status === 'Running';
      });
    };
    expect((await small.runner.execute(holding)).status).toBe('Completed');
    expect((await small.runner.handle(started[0]!).result()).status).toBe('Completed');
  });
});

describe('A transactional task that waits for a connection', () => {
  it('gives its slot up when it is cancelled, and the connection back when that comes', async () => {
    const runner = small.dataSource.createQueryRunner();
    await runner.connect();
    const running = (): number => enginePartOf(small, 'queue').running;
    work = () => Promise.resolve();
    try {
      const handle = await small.runner.start(holding);
      await waitFor(() => running() === 1);
      await handle.cancel();
      await waitFor(() => running() === 0);
    } finally {
      await runner.release();
    }
    expect((await small.runner.execute(holding)).status).toBe('Completed');
  });
});

describe('The limit of connections for user code', () => {
  interface Held {
    readonly leave: () => void;
    readonly place: Place;
  }
  const take = (limit: ConnectionLimit, tenant: string, into: Held[], errors: Error[] = []): void =>
    limit.enter(
      tenant,
      (leave, place) => into.push({ leave, place }),
      (error) => errors.push(error),
    );

  it('leaves half of them to the others while several tenants are at work', () => {
    const limit = new ConnectionLimit(() => CONNECTIONS);
    const [a, b]: [Held[], Held[]] = [[], []];
    take(limit, 'b', b);
    for (let i = 0; i < 6; i++) take(limit, 'a', a);
    expect([a.length, b.length]).toEqual([CONNECTIONS / 2, 1]);
    take(limit, 'b', b);
    expect(b).toHaveLength(2);
    a[0]?.leave();
    a[0]?.leave();
    expect(a).toHaveLength(CONNECTIONS / 2 + 1);
  });

  it('gives a second one before any first one, and refuses it when none comes free in time', async () => {
    const limit = new ConnectionLimit(() => 2, 20);
    const held: Held[] = [];
    const [first, second]: [Held[], Held[]] = [[], []];
    const errors: Error[] = [];
    take(limit, 'a', held);
    take(limit, 'b', held);
    take(limit, 'c', first);
    runWithin(held[0]?.place, () => take(limit, 'a', second, errors));
    held[1]?.leave();
    expect([first.length, second.length]).toEqual([0, 1]);
    second[0]?.leave();
    expect(first).toHaveLength(1);

    runWithin(held[0]?.place, () => take(limit, 'a', second, errors));
    await waitFor(() => errors.length === 1);
    expect(errors[0]).toMatchObject({ code: 'CONNECTIONS_EXHAUSTED', waitedMs: 20 });
  });

  it('says in the log who has them when a request waits for long, once', async () => {
    const said: unknown[] = [];
    const log = jest
      .spyOn(Logger.prototype, 'warn')
      .mockImplementation((text) => void said.push(text));
    const limit = new ConnectionLimit(() => 2, 20, 5);
    const [held, waiting]: [Held[], Held[]] = [[], []];
    take(limit, 'a', held);
    take(limit, 'a', held);
    take(limit, 'b', waiting);
    await waitFor(() => said.length > 0);
    expect(said).toEqual([
      expect.stringMatching(
        /^Schema "b": .* The 2 connections .* belong to the schemas "a" \(2\)\./,
      ),
    ]);
    for (const { leave } of held) leave();
    expect(waiting).toHaveLength(1);
    log.mockRestore();
  });
});
