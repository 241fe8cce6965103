import { randomUUID } from 'node:crypto';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { Logger } from '@nestjs/common';
import { getRepositoryToken } from '@nestjs/typeorm';
import { Column, Entity, PrimaryColumn, type Repository } from 'typeorm';
import { TENANT_MANAGER } from '../../../lib/boot/registration.js';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import type {
  CloacinaServerOptions,
  CloacinaSharedOptions,
} from '../../../lib/cloacina.options.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { TenantMovingError } from '../../../lib/errors/index.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { tenantToken } from '../../../lib/cloacina.tokens.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { CloacinaHealth } from '../../../lib/tenants/health/cloacina-health.js';
import type { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { readTenantRow } from '../../../lib/tenants/moving/move-state.js';
import { startChild } from '../../support/child-process.js';
import { gate } from '../../support/gate.js';
import { freshSchema } from '../../support/postgres.js';
import { rowsOf, scratchDatabase } from '../../support/scratch-database.js';
import { SecondServer } from '../../support/second-server.js';
import { waitFor } from '../../support/wait-for.js';
import { start, type Application } from '../tenants/application.js';
import { CreateNote1767225600000, move, PlainMove, type End } from './plain-move.js';

@Entity('note')
class Note {
  @PrimaryColumn({ type: 'integer' })
  id!: number;
  @Column({ type: 'text' })
  text!: string;
}

let held = gate();
let standing = 0;
const hold = defineWorkflow('hold')
  .task('only', async () => {
    standing++;
    await held.passed;
    return { held: true };
  })
  .build();
const whereAmI = defineWorkflow('where-am-i')
  .task('ask', { transactional: true }, async ({ manager }) => {
    const [row] = await manager.query<{ port: number }[]>(
      `SELECT current_setting('port')::integer AS port`,
    );
    return { port: row?.port };
  })
  .build();
const providers = [hold, whereAmI].map((useValue) => ({ provide: useValue.name, useValue }));

let eu: End;
let server: SecondServer;
let us: End;
beforeAll(async () => {
  const [url, second] = await Promise.all([scratchDatabase(), SecondServer.connect()]);
  eu = { server: 'eu', url };
  server = second;
  us = { server: 'us', url: second.url };
}, 120_000);
afterAll(() => server.close());

const logged: string[] = [];
const moves: PlainMove[] = [];
beforeEach(() => {
  held = gate();
  standing = 0;
  logged.length = 0;
  for (const level of ['log', 'warn', 'error'] as const) {
    jest
      .spyOn(Logger.prototype, level)
      .mockImplementation((message: unknown) => void logged.push(`${level}: ${String(message)}`));
  }
});
afterEach(() => Promise.all(moves.splice(0).map((one) => one.close().catch(() => undefined))));

function shared(more: CloacinaSharedOptions = {}): CloacinaSharedOptions {
  return {
    databaseUrl: undefined,
    servers: servers(),
    startTimeout: '20s',
    entities: [Note],
    migrations: [CreateNote1767225600000],
    ...more,
  };
}

function servers(): Record<string, CloacinaServerOptions> {
  return { eu: { databaseUrl: eu.url }, us: { databaseUrl: us.url } };
}

/** Serves a tenant that the code places on eu. */
function serve(schema: string, more?: CloacinaSharedOptions): Promise<Application> {
  return start(providers, {
    shared: shared(more),
    imports: [CloacinaModule.forTenant({ schema, server: 'eu', entities: [Note] })],
  });
}

async function openMove(schema: string): Promise<PlainMove> {
  const one = await PlainMove.open(schema, eu, us);
  moves.push(one);
  return one;
}

const portOf = (url: string): number => Number(new URL(url).port);

/** Past the faults of the network. */
function query<R extends object>(end: End, text: string): Promise<R[]> {
  return end === us ? server.query<R>(text) : rowsOf<R>(end.url, text);
}

async function stateOn(end: End, schema: string): Promise<string | undefined> {
  const rows = await query<{ name: string | null }>(
    end,
    `SELECT to_regclass('${schema}.cloacina_tenant')::text AS name`,
  );
  if ((rows[0]?.name ?? null) === null) return undefined;
  const [row] = await query<{ state: string }>(end, `SELECT state FROM ${schema}.cloacina_tenant`);
  return row?.state;
}

async function works({ tenants }: Application, tenant: string): Promise<unknown> {
  const { runner } = tenants.get(tenant);
  const { status, context } = await runner.execute(whereAmI, {}, { timeout: '60s' });
  expect(status).toBe('Completed');
  return context['port'];
}

const errors = (): string[] => logged.filter((line) => line.startsWith('error'));

describe('a tenant that moves', () => {
  it('ends its running tasks, keeps waiting calls, and is served with the same objects', async () => {
    const schema = freshSchema('moves');
    const application = await serve(schema);
    const { app, tenants } = application;
    const tenant = tenants.get(schema);
    const runner = app.get<CloacinaRunner>(tenantToken(CloacinaRunner, schema));
    const notes = app.get<Repository<Note>>(getRepositoryToken(Note, schema));
    await notes.insert({ id: 1, text: 'of eu' });
    const running = await runner.start(hold);
    await waitFor(() => standing === 1);
    const steps = await openMove(schema);

    await steps.begin();
    expect(await works(application, schema)).toBe(portOf(eu.url));

    await steps.stop();
    await waitFor(() => logged.some((line) => line.includes('moves to server "us"')));
    const waiting = await runner.start(whereAmI);
    expect(await app.get(CloacinaHealth).check()).toMatchObject({
      status: 'degraded',
      tenants: { troubled: [{ tenant: schema, trouble: 'moving' }] },
    });
    held.open();
    await steps.untilIdle();
    expect((await runner.get(running.id))?.status).toBe('Completed');
    expect((await runner.get(waiting.id))?.status).toBe('Pending');

    await steps.fence();
    await expect(notes.insert({ id: 2, text: 'refused' })).rejects.toMatchObject({
      driverError: { code: 'CLMOV' },
    });
    let isStarted = false;
    const late = runner.start(whereAmI).finally(() => (isStarted = true));
    const refused = tenant.dataSource.transaction((manager) =>
      runner.start(whereAmI, {}, { manager }),
    );
    await expect(refused).rejects.toMatchObject({ code: 'TENANT_MOVING', peer: 'us' });
    await steps.copy();
    expect(isStarted).toBe(false);

    await steps.leave();
    await steps.arrive();
    const { id } = await late;
    for (const handle of [waiting, runner.handle(id)]) {
      const { status, context } = await handle.result({ timeout: '60s' });
      expect({ status, port: context['port'] }).toEqual({
        status: 'Completed',
        port: portOf(server.directUrl),
      });
    }
    expect(tenants.get(schema)).toBe(tenant);
    expect(tenant.server).toBe('us');
    await notes.insert({ id: 2, text: 'of us' });
    expect(await rowsOf(eu.url, `SELECT text FROM ${schema}.note`)).toEqual([{ text: 'of eu' }]);
    expect(await server.query(`SELECT text FROM ${schema}.note ORDER BY id`)).toEqual([
      { text: 'of eu' },
      { text: 'of us' },
    ]);
    expect((await runner.get(running.id))?.status).toBe('Completed');
    expect(standing).toBe(1);
    expect(await tenant.migrator.pending()).toEqual([]);
    expect((await app.get(CloacinaHealth).check()).reasons).toEqual([]);
    expect(errors()).toEqual([]);
  }, 300_000);

  it('fails starts that waited for startTimeout, and goes on when a process undoes the move of a dead mover', async () => {
    const schema = freshSchema('undone');
    const application = await serve(schema, { startTimeout: '300ms' });
    const { runner } = application.tenants.get(schema);
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop(1);
    await steps.fence();
    const error: unknown = await runner.start(whereAmI).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(TenantMovingError);
    expect(error).toMatchObject({ tenant: schema, peer: 'us', retryAfter: expect.any(Number) });
    // The deadline has passed, and the mover lives.
    expect(await stateOn(eu, schema)).toBe('stopping');

    await steps.close();
    await waitFor(async () => (await stateOn(eu, schema)) === 'live');
    expect(await waitFor(() => works(application, schema))).toBe(portOf(eu.url));
    expect(await stateOn(us, schema)).toBe('arriving');
    expect(errors()).toEqual([]);
  }, 300_000);

  it('is made live by its processes when the mover dies between the two ends', async () => {
    const schema = freshSchema('between');
    const application = await serve(schema);
    expect(await works(application, schema)).toBe(portOf(eu.url));
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop();
    await steps.untilIdle();
    await steps.fence();
    await steps.copy();
    await steps.leave();
    await steps.close();
    expect(await works(application, schema)).toBe(portOf(server.directUrl));
    expect(await Promise.all([eu, us].map((end) => stateOn(end, schema)))).toEqual([
      'moved',
      'live',
    ]);
  }, 300_000);

  it('waits for its server if that is away at the switch', async () => {
    const schema = freshSchema('away');
    const application = await serve(schema, { startTimeout: '500ms' });
    const { runner } = application.tenants.get(schema);
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop();
    await steps.untilIdle();
    await steps.fence();
    await steps.copy();
    await server.refuse();
    await steps.leave();
    await waitFor(() => errors().some((line) => line.includes("can't be served there")));
    // Also reads: those of the source would be out of date.
    await expect(runner.list()).rejects.toMatchObject({ code: 'TENANT_MOVING', peer: 'us' });
    await server.listen();
    await waitFor(() => works(application, schema));
    expect(application.tenants.get(schema).server).toBe('us');
  }, 300_000);

  it('is found by a process that hears no notifications', async () => {
    const schema = freshSchema('deaf');
    const { startTimeout } = { startTimeout: '20s' } as const;
    const application = await serve(schema, { startTimeout, controlConnection: false });
    await move(schema, eu, us);
    expect(await works(application, schema)).toBe(portOf(server.directUrl));
  }, 300_000);

  it('does not concern the other tenants of its server', async () => {
    const [schema, other] = [freshSchema('moves'), freshSchema('stays')];
    const application = await serve(schema);
    await application.tenants.add({ schema: other, server: 'eu' });
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop();
    await steps.fence();
    for (let n = 0; n < 5; n++) expect(await works(application, other)).toBe(portOf(eu.url));
    const host = application.app.get<TenantManager>(TENANT_MANAGER);
    const leases = [schema, other].map((name) => ({
      tenant: host.find(name).engine.store.handle,
      instanceId: randomUUID(),
    }));
    const { session } = host.find(other).group.process;
    expect(await session?.release(leases)).toEqual([undefined, true]);
    await application.tenants.pause(other);
    // One statement announces the states of all tenants.
    await waitFor(async () => {
      const rows = await rowsOf<{ state: string }>(
        eu.url,
        `SELECT state FROM ${other}.cloacina_process`,
      );
      return rows.some(({ state }) => state === 'paused');
    });
    expect(errors()).toEqual([]);
  }, 300_000);

  it('moves away from a process that knows no other server', async () => {
    const schema = freshSchema('unknown');
    const application = await start(providers, {
      shared: { databaseUrl: eu.url, startTimeout: '300ms', migrations: [CreateNote1767225600000] },
      imports: [CloacinaModule.forTenant({ schema })],
    });
    await move(schema, eu, us);
    const { runner } = application.tenants.get(schema);
    await expect(runner.start(whereAmI)).rejects.toMatchObject({ code: 'TENANT_MOVING' });
    await waitFor(() => errors().length > 0);
    await expect(runner.list()).rejects.toMatchObject({ code: 'TENANT_MOVING', peer: 'us' });
  }, 300_000);
});

describe('the fence', () => {
  it('waits for a transaction that has written, which is then copied', async () => {
    const schema = freshSchema('writer');
    const application = await serve(schema);
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop();
    const writer = application.tenants.get(schema).dataSource.createQueryRunner();
    await writer.startTransaction();
    await writer.query(`INSERT INTO note VALUES (1, 'in flight')`);
    let isFenced = false;
    const fenced = steps.fence().then(() => (isFenced = true));
    await waitFor(async () => {
      const waiting = await rowsOf(
        eu.url,
        `SELECT FROM pg_stat_activity WHERE application_name = 'mover' AND wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    expect(isFenced).toBe(false);
    await writer.commitTransaction();
    await writer.release();
    await fenced;
    await steps.copy();
    expect(await server.query(`SELECT text FROM ${schema}.note`)).toEqual([{ text: 'in flight' }]);
  }, 300_000);

  it('is what keeps the row: without it, a transaction commits to the source after the copy', async () => {
    const schema = freshSchema('control');
    const application = await serve(schema);
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop();
    const writer = application.tenants.get(schema).dataSource.createQueryRunner();
    await writer.startTransaction();
    await writer.query(`INSERT INTO note VALUES (1, 'in flight')`);
    await steps.copy();
    await expect(steps.leave()).rejects.toThrow('would accept writes');
    await writer.commitTransaction();
    await writer.release();
    expect(await server.query(`SELECT text FROM ${schema}.note`)).toEqual([]);
    expect(await rowsOf(eu.url, `SELECT text FROM ${schema}.note`)).toHaveLength(1);
  }, 300_000);

  it('has no effect on a table whose trigger is disabled, until it is raised again', async () => {
    const schema = freshSchema('disabled');
    await serve(schema);
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop();
    await steps.fence();
    for (const how of ['DISABLE', 'ENABLE', 'ENABLE REPLICA']) {
      await rowsOf(eu.url, `ALTER TABLE ${schema}.note ${how} TRIGGER cloacina_move_fence`);
      await expect(steps.leave()).rejects.toThrow('note would accept writes');
    }
    await steps.fence();
    await steps.leave();
    await expect(rowsOf(eu.url, `DELETE FROM ${schema}.note`)).rejects.toMatchObject({
      code: 'CLMOV',
    });
  }, 300_000);

  it('refuses every write to every table, also in a transaction with an old snapshot and as a replica', async () => {
    const schema = freshSchema('refuses');
    await serve(schema);
    const steps = await openMove(schema);
    const old = await PlainMove.open(schema, eu, us);
    moves.push(old);
    await old.source.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1');
    await steps.begin();
    await steps.stop();
    await steps.fence();
    await expect(
      old.source.query(`INSERT INTO ${schema}.note VALUES (1, 'old snapshot')`),
    ).rejects.toMatchObject({ code: 'CLMOV' });
    await old.source.query('ROLLBACK; SET session_replication_role TO replica');
    const tables = await rowsOf<{ name: string }>(
      eu.url,
      `SELECT relname AS name FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relkind = 'r'`,
    );
    expect(tables.length).toBeGreaterThan(20);
    for (const { name } of tables) {
      for (const write of [`DELETE FROM ${schema}.${name}`, `TRUNCATE ${schema}.${name} CASCADE`]) {
        await expect(old.source.query(write)).rejects.toMatchObject({ code: 'CLMOV' });
      }
    }
    expect(await readTenantRow(steps.source, schema)).toMatchObject({
      state: 'stopping',
      peer: 'us',
    });
  }, 300_000);
});

describe('a boot', () => {
  it('serves a tenant where it lives, while its source stands and after it was dropped', async () => {
    const schema = freshSchema('placed');
    const before = await serve(schema);
    await before.app.close();
    await move(schema, eu, us);
    const admin = new CloacinaAdmin({ servers: servers() });
    const listed = await admin.listTenants();
    expect(listed.filter((one) => one.schema === schema)).toMatchObject([
      { server: 'eu', move: { state: 'moved', peer: 'us' } },
      { server: 'us' },
    ]);
    expect(listed.find((one) => one.schema === schema && one.server === 'us')).not.toHaveProperty(
      'move',
    );
    for (const isDropped of [false, true]) {
      if (isDropped) await rowsOf(eu.url, `DROP SCHEMA ${schema} CASCADE`);
      logged.length = 0;
      const application = await serve(schema);
      expect(await works(application, schema)).toBe(portOf(server.directUrl));
      expect(logged.filter((line) => line.startsWith('warn')).join()).toContain(
        'the code places it on server "eu", and it lives on server "us"',
      );
      await application.app.close();
      expect(await stateOn(eu, schema)).toBe(isDropped ? undefined : 'moved');
    }
  }, 300_000);

  it('makes no empty tenant while a server that may have it is away', async () => {
    const schema = freshSchema('missing');
    const before = await serve(schema);
    await before.app.close();
    await move(schema, eu, us);
    await rowsOf(eu.url, `DROP SCHEMA ${schema} CASCADE`);
    await server.refuse();
    const application = await serve(schema, { startTimeout: '500ms' });
    await expect(application.tenants.get(schema).runner.start(whereAmI)).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
    expect(await rowsOf(eu.url, `SELECT FROM pg_namespace WHERE nspname = '${schema}'`)).toEqual(
      [],
    );
    await server.listen();
    await waitFor(() => works(application, schema));
    expect(application.tenants.get(schema).server).toBe('us');
    expect(await rowsOf(eu.url, `SELECT FROM pg_namespace WHERE nspname = '${schema}'`)).toEqual(
      [],
    );
  }, 300_000);

  it('makes no empty tenant on the server to which it has moved if that has lost it', async () => {
    const schema = freshSchema('lost');
    const before = await serve(schema);
    await before.app.close();
    await move(schema, eu, us);
    await server.query(`DROP SCHEMA ${schema} CASCADE`);
    await expect(serve(schema)).rejects.toThrow(
      `"${schema}" has moved to server "us", which does not have it. Restore it there`,
    );
    const application = await serve(freshSchema('other'));
    for (const name of ['eu', 'us']) {
      await expect(application.tenants.add({ schema, server: name })).rejects.toMatchObject({
        code: 'CONFIGURATION',
        message: expect.stringContaining('has moved to server "us", which does not have it'),
      });
    }
    expect(await Promise.all([eu, us].map((end) => stateOn(end, schema)))).toEqual([
      'moved',
      undefined,
    ]);
  }, 300_000);

  it('completes a move whose mover died at its end', async () => {
    const schema = freshSchema('halfway');
    const before = await serve(schema);
    await before.app.close();
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop();
    await steps.fence();
    await steps.copy();
    await steps.leave();
    await steps.close();
    expect(await works(await serve(schema), schema)).toBe(portOf(server.directUrl));
    expect(await stateOn(us, schema)).toBe('live');
  }, 300_000);
});

describe('discovery', () => {
  it('serves a tenant once while it moves, and where it lives', async () => {
    const schema = freshSchema('found');
    const before = await serve(schema);
    await before.app.close();
    const discover = (found: string): object | undefined => (found === schema ? {} : undefined);
    const application = await start(providers, { shared: shared({ tenants: { discover } }) });
    expect(application.tenants.get(schema).server).toBe('eu');
    const steps = await openMove(schema);
    await steps.begin();
    const second = await start(providers, { shared: shared({ tenants: { discover } }) });
    expect(second.tenants.list().map(({ server: at }) => at)).toEqual(['eu']);
    await steps.stop();
    await steps.untilIdle();
    await steps.fence();
    await steps.copy();
    await steps.leave();
    await steps.arrive();
    for (const one of [application, second]) {
      await waitFor(() => one.tenants.get(schema).server === 'us');
      expect(await works(one, schema)).toBe(portOf(server.directUrl));
    }
    const third = await start(providers, { shared: shared({ tenants: { discover } }) });
    expect(third.tenants.list().map(({ server: at }) => at)).toEqual(['us']);
    expect(errors()).toEqual([]);
  }, 300_000);
});

describe('a process that dies', () => {
  it('leaves its tasks to recovery, which goes on while the tenant stops', async () => {
    const schema = freshSchema('killed');
    const child = startChild(new URL('moving-process.ts', import.meta.url), {
      env: { MOVE_SCHEMA: schema, MOVE_EU: eu.url, MOVE_US: us.url },
    });
    const { id } = await child.message<{ id: string }>((message) => 'id' in message);
    const application = await serve(schema, { leaseDuration: '3s' });
    const steps = await openMove(schema);
    await steps.begin();
    await steps.stop();
    await child.kill('SIGKILL');
    await steps.untilIdle();
    await steps.fence();
    await steps.copy();
    await steps.leave();
    await steps.arrive();
    held.open();
    const { status } = await application.tenants
      .get(schema)
      .runner.handle(id)
      .result({ timeout: '60s' });
    expect(status).toBe('Completed');
  }, 300_000);
});
