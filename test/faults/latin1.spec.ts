import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Client } from 'pg';
import { z } from 'zod';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { defineEvent } from '../../lib/discovery/message-definitions.js';
import { Schedule } from '../../lib/discovery/schedule.decorator.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import { Workflow } from '../../lib/discovery/workflow.decorator.js';
import type { TaskContext, TaskMethod } from '../../lib/discovery/task-context.js';
import { CloacinaError } from '../../lib/errors/index.js';
import { type OpenTenant, openTenant } from '../support/open-tenant.js';
import { connectAdmin, databaseUrl } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { FOREIGN, UNSTORABLE } from './workload/unstorable.js';

const BOUND = { timeout: '15s' } as const;

const name = `latin1_${randomBytes(5).toString('hex')}`;
const warnings: string[] = [];
let client: Client;
let tenant: OpenTenant;
let work: (context: TaskContext) => unknown;

const handler = (async (context: TaskContext) => {
  await Promise.resolve();
  return work(context);
}) as TaskMethod;
const workflows = {
  plain: defineWorkflow('plain')
    .task('only', { retry: { maxAttempts: 1 } }, handler)
    .build(),
  transactional: defineWorkflow('transactional')
    .task('only', { retry: { maxAttempts: 1 }, transactional: true }, async (context) => {
      await context.manager.query('INSERT INTO effect DEFAULT VALUES');
      return handler(context);
    })
    .build(),
  retried: defineWorkflow('retried')
    .task(
      'only',
      { retry: { maxAttempts: 3, backoff: 'fixed', delay: 10, jitter: false } },
      handler,
    )
    .build(),
} as const;

const paid = defineEvent<object>('paid');
/** Two workflows that one event starts. The input of the first fails with what can't be stored. */
const started = ['bad', 'good'].map((which) =>
  defineWorkflow(`${which} receipt`)
    .startOn(paid, {
      input: () => {
        if (which === 'bad') throw new Error(FOREIGN);
        return {};
      },
    })
    .task('only', () => undefined)
    .build(),
);

/** Whether the schema refuses each input, with a message that can't be stored. */
let refuses = false;
const checked = defineWorkflow('checked', {
  input: z.object({}).refine(() => !refuses, { message: FOREIGN }),
})
  .task('only', () => undefined)
  .build();

@Schedule({ name: 'a foreign one', every: '1s', input: { text: FOREIGN } })
@Schedule({ name: 'b plain one', every: '1s', input: { text: 'plain' } })
@Workflow({ name: 'scheduled' })
class Scheduled {
  @Task()
  only(): void {
    // Its starts are counted.
  }
}

const reporting = defineWorkflow('reporting')
  .task('only', async (context) => {
    context.progress({ text: context.get('bad') === true ? FOREIGN : 'plain' });
    await waitFor(() => letGo, { what: 'the test' });
  })
  .build();
let letGo = false;

beforeAll(async () => {
  const admin = await connectAdmin();
  await admin.query(
    `CREATE DATABASE ${name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
  );
  await admin.end();
  const url = new URL(databaseUrl());
  url.pathname = `/${name}`;
  Logger.overrideLogger({
    log: () => undefined,
    error: () => undefined,
    warn: (message: unknown) => void warnings.push(String(message)),
  });
  const all = [...Object.values(workflows), ...started, checked, Scheduled, reporting];
  tenant = await openTenant(all, {
    schema: 'latin1',
    databaseUrl: url.href,
  });
  client = new Client({ connectionString: url.href });
  await client.connect();
  await client.query('SET search_path TO latin1');
  await client.query('CREATE TABLE effect (id integer GENERATED ALWAYS AS IDENTITY)');
}, 60_000);
beforeEach(async () => {
  await client.query('DELETE FROM effect');
});
afterAll(async () => {
  Logger.overrideLogger(false);
  await tenant.close();
  await client.end();
  const admin = await connectAdmin();
  await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  await admin.end();
});

interface TaskRow {
  readonly status: string;
  readonly output: unknown;
  readonly message: string | null;
  readonly owner: string | null;
}

async function taskOf(id: string): Promise<TaskRow> {
  const { rows } = await client.query<TaskRow>(
    `SELECT status, output, error ->> 'message' AS message, owner FROM cloacina_task_execution
     WHERE execution_id = $1`,
    [id],
  );
  return rows[0] as TaskRow;
}

async function effects(): Promise<number> {
  return (await client.query('SELECT FROM effect')).rows.length;
}

describe('A database with the encoding LATIN1', () => {
  it('is warned of at boot', () => {
    expect(warnings.filter((text) => /LATIN1/.test(text) && /UTF-?8/i.test(text))).toHaveLength(1);
  });

  it('stores what it can', async () => {
    work = () => ({ text: 'é ü' });
    const result = await tenant.runner.execute(workflows.plain, {}, BOUND);
    expect(result).toMatchObject({ status: 'Completed', context: { text: 'é ü' } });
  });

  describe.each(['plain', 'transactional'] as const)('and a %s task', (kind) => {
    it.each(UNSTORABLE)(
      'that %s: it is Failed, with an error and nothing else',
      async (_, fail) => {
        work = fail;
        const { id } = await tenant.runner.start(workflows[kind]);
        const { status } = await tenant.runner.handle(id).result({ ...BOUND, settled: true });
        expect(status).toBe('Failed');
        const row = await taskOf(id);
        expect(row).toMatchObject({ status: 'Failed', output: null, owner: null });
        expect(row.message).not.toBe('');
        expect(typeof row.message).toBe('string');
        expect(await effects()).toBe(0);
      },
      40_000,
    );
  });

  it('and a task whose attempts fail with it: it is tried again, and completes', async () => {
    work = (context) => {
      if (context.attempt < 3) throw new Error(`${FOREIGN} ${context.attempt}`);
      return { attempt: context.attempt };
    };
    const result = await tenant.runner.execute(workflows.retried, {}, BOUND);
    expect(result).toMatchObject({ status: 'Completed', context: { attempt: 3 } });
  }, 40_000);

  it('and one that can not be stored among many: the others are Completed', async () => {
    work = ({ data }) => ({ text: data['bad'] === true ? FOREIGN : 'plain' });
    const handles = await Promise.all(
      Array.from({ length: 40 }, (_, no) =>
        tenant.runner.start(workflows.plain, { bad: no % 10 === 3 }),
      ),
    );
    const ends = await Promise.all(
      handles.map((handle) => handle.result({ ...BOUND, settled: true })),
    );
    expect(ends.map(({ status }) => status)).toEqual(
      ends.map((_, no) => (no % 10 === 3 ? 'Failed' : 'Completed')),
    );
  }, 40_000);
});

describe('In a database with the encoding LATIN1', () => {
  it('a step whose result can not be stored tells so with a code, and without a detail', async () => {
    let seen: unknown;
    work = async (context) => {
      try {
        await context.step('foreign', () => FOREIGN);
      } catch (error) {
        seen = error;
        throw error;
      }
    };
    const { id } = await tenant.runner.start(workflows.plain);
    const { status } = await tenant.runner.handle(id).result({ ...BOUND, settled: true });
    expect(status).toBe('Failed');
    expect(seen).toBeInstanceOf(CloacinaError);
    expect(seen).toMatchObject({ code: 'DATABASE_REFUSED' });
    expect(Reflect.get(seen as object, 'detail')).toBeUndefined();
  }, 40_000);

  it('an event whose start fails with what can not be stored keeps that, and no other start', async () => {
    await tenant.runner.emit(paid, 'key', {});
    const left = await waitFor(
      async () => {
        const { rows } = await client.query<{ workflow: string; message: string | null }>(
          `SELECT workflow, error ->> 'message' AS message FROM cloacina_event_start`,
        );
        return rows.length === 1 && rows[0]?.message !== null ? rows : undefined;
      },
      { what: 'the start that is left' },
    );
    expect(left).toEqual([{ workflow: 'bad receipt', message: '\\u65e5\\u672c\\u8a9e' }]);
  }, 40_000);

  it('a schedule of the code that can not be stored keeps no other from firing', async () => {
    await waitFor(
      async () => (await tenant.runner.list({ workflow: 'scheduled' })).items.length > 0,
      { what: 'a firing of the plain schedule' },
    );
    expect(await tenant.runner.schedules.list()).toMatchObject([{ name: 'b plain one' }]);
  }, 40_000);

  it('a schedule that breaks for a reason that can not be stored keeps no other from firing', async () => {
    await tenant.runner.schedules.create('breaks', 'checked', { every: '1s' });
    refuses = true;
    const broken = await waitFor(
      async () => {
        const schedule = await tenant.runner.schedules.get('breaks');
        return schedule?.state === 'broken' ? schedule : undefined;
      },
      { what: 'the broken schedule' },
    );
    expect(broken.lastError?.message).toContain('\\u65e5');
    await tenant.runner.schedules.delete('breaks');
  }, 40_000);

  it('progress that can not be stored keeps no other from being stored', async () => {
    const handles = await Promise.all(
      ['plain', FOREIGN, 'plain'].map((text) =>
        tenant.runner.start(reporting, text === FOREIGN ? { bad: true } : { text }),
      ),
    );
    await waitFor(
      async () => (await client.query('SELECT FROM cloacina_task_progress')).rows.length === 2,
      { what: 'the progress of the others' },
    );
    letGo = true;
    for (const handle of handles) await handle.result(BOUND);
  }, 40_000);
});

/** Calls that are given what can't be stored. */
const CALLS: [string, (id: string) => Promise<unknown>][] = [
  ['start, as a value', () => tenant.runner.start(workflows.plain, { text: FOREIGN })],
  ['start, as a key', () => tenant.runner.start(workflows.plain, {}, { idempotencyKey: FOREIGN })],
  ['cancel', (id) => tenant.runner.cancel(id, { reason: FOREIGN })],
  ['pause', (id) => tenant.runner.pause(id, { reason: FOREIGN })],
];

describe('A call with what a LATIN1 database can not store', () => {
  it.each(CALLS)('%s: tells so with a code and without the row, or stores it', async (_, call) => {
    const { id } = await tenant.runner.start(workflows.plain, {}, { delay: '1h' });
    const error: unknown = await call(id).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error !== undefined) {
      expect(error).toBeInstanceOf(CloacinaError);
      expect(Reflect.get(error as object, 'code')).toMatch(/^[A-Z_]+$/);
      expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain('Failing row');
    }
    // It does nothing by halves.
    const before = (await tenant.runner.get(id))?.status;
    if (error !== undefined) expect(before).toBe('Pending');
    if (before !== 'Cancelled') await tenant.runner.cancel(id, { reason: 'in plain words' });
    expect((await tenant.runner.get(id))?.status).toBe('Cancelled');
  });
});
