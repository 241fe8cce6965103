import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import type { ExecutionResult } from '../../../lib/runner/execution.js';
import { always } from '../../../lib/workflow/index.js';
import { makeDue, openTenant, sharedTenant } from '../../support/open-tenant.js';
import { sized } from '../../support/sizes.js';

const LIMIT = 10_000;
const inTenant = sharedTenant();
const withLimit = sharedTenant({ maxContextSize: LIMIT });
const once = { retry: { maxAttempts: 5, delay: '1h' } } as const;
const TOO_LARGE = { name: 'ContextTooLargeError', code: 'CONTEXT_TOO_LARGE' };

/** A string that makes `{"key":"…"}` so many bytes. */
const filling = (key: string, bytes: number): string => 'x'.repeat(bytes - `{"${key}":""}`.length);

describe('A context', () => {
  it(
    'may be exactly as large as the limit: given, returned and merged',
    withLimit((serve) => {
      const half = LIMIT / 2;
      const exact = defineWorkflow('exact')
        .task('replace', (context) => {
          expect(JSON.stringify(context.data)).toHaveLength(LIMIT);
          context.delete('given');
          return { result: filling('result', LIMIT) };
        })
        .task('shrink', { dependsOn: ['replace'] }, (context) => context.delete('result'))
        // Together `{"a":…,"b":…}`: a comma instead of two braces.
        .task('a', { dependsOn: ['shrink'] }, () => ({ a: filling('a', half) }))
        .task('b', { dependsOn: ['shrink'] }, () => ({ b: filling('b', half + 1) }))
        .task('join', { dependsOn: ['a', 'b'] }, ({ data }) => {
          expect(JSON.stringify(data)).toHaveLength(LIMIT);
        })
        .build();
      serve(exact);
      return async ({ runner }) => {
        const result = await runner.execute(exact, { given: filling('given', LIMIT) });
        expect(result.orThrow().context).toHaveProperty('b');
      };
    }),
  );

  it(
    'over the limit fails the task that writes it, or that joins it, and is not retried',
    withLimit((serve) => {
      const over = defineWorkflow('over')
        .task('writes', once, () => ({ a: filling('a', LIMIT + 1) }))
        .task('a', () => ({ a: filling('a', LIMIT - 10) }))
        .task('b', () => ({ b: filling('b', 100) }))
        .task('joins', { dependsOn: ['a', 'b'], ...once }, () => undefined)
        .task('last', { dependsOn: ['writes', 'joins'], when: always() }, () => ({ last: true }))
        .build();
      serve(over);
      return async ({ runner }) => {
        const result = await runner.execute(over, {}, { settled: true });
        const task = (name: string) => result.tasks.find((each) => each.name === name);
        expect(task('writes')).toMatchObject({ status: 'Failed', attempt: 1, error: TOO_LARGE });
        expect(task('joins')).toMatchObject({ status: 'Failed', attempt: 1, error: TOO_LARGE });
        expect(task('joins')?.error?.message).toContain('"a"');
        // What the failed join carries is too large for its successor as well.
        expect(task('last')).toMatchObject({ status: 'Failed', error: TOO_LARGE });
        expect(result.status).toBe('Failed');
      };
    }),
  );

  it('over the limit is not stored by a start', async () => {
    const workflow = defineWorkflow('given')
      .task('only', () => undefined)
      .build();
    const { runner } = await openTenant([workflow], { maxContextSize: LIMIT });
    await expect(runner.start(workflow, { a: filling('a', LIMIT + 1) })).rejects.toMatchObject(
      TOO_LARGE,
    );
    expect((await runner.list()).items).toEqual([]);
  });

  it('is counted in bytes, not in characters', async () => {
    const workflow = defineWorkflow('bytes')
      .task('only', () => undefined)
      .build();
    const { runner } = await openTenant([workflow], { maxContextSize: 100 });
    const started = runner.start(workflow, { text: 'ü'.repeat(60) });
    await expect(started).rejects.toMatchObject({ ...TOO_LARGE, size: 131, limit: 100 });
  });

  it(
    'of 1 MiB goes through many tasks at once',
    inTenant((serve) => {
      const large = defineWorkflow('large')
        .task('one', () => ({ one: 1 }))
        .task('two', { dependsOn: ['one'] }, () => ({ two: 2 }))
        .build();
      serve(large);
      return async ({ runner }) => {
        const text = 'y'.repeat(1_000_000);
        const results = await Promise.all(
          Array.from({ length: sized(60, 12) }, () => runner.execute(large, { text })),
        );
        for (const { status, context } of results) {
          expect(status).toBe('Completed');
          expect(context).toMatchObject({ one: 1, two: 2 });
          expect(context['text'] === text).toBe(true);
        }
      };
    }),
  );

  it('that only the leaves together make too large is still told', async () => {
    let builder = defineWorkflow('leaves').task('root', () => undefined);
    for (let i = 0; i < 20; i++) {
      builder = builder.task(`leaf ${i}`, { dependsOn: ['root'] }, () => ({
        [`k${i}`]: 'x'.repeat(900),
      }));
    }
    const workflow = builder.build();
    const { runner } = await openTenant([workflow], { maxContextSize: 1_000 });
    const { status, context } = await runner.execute(workflow);
    expect(status).toBe('Completed');
    expect(Object.keys(context)).toHaveLength(20);
  });
});

describe('The input', () => {
  it(
    'is checked and transformed by its schema before anything is stored',
    inTenant((serve) => {
      const input = z.object({
        orderId: z.coerce.number().int(),
        note: z.string().default('none'),
      });
      const workflow = defineWorkflow('checked', { input })
        .task('only', ({ data }) => ({ seen: { ...data } }))
        .build();
      serve(workflow);
      return async ({ runner }) => {
        const result = await runner.execute(workflow, { orderId: '17' });
        expect(result.context).toEqual({
          orderId: 17,
          note: 'none',
          seen: { orderId: 17, note: 'none' },
        });
        const refused = runner.start('checked', { orderId: 'x', note: 5 });
        await expect(refused).rejects.toMatchObject({
          code: 'INVALID_CONTEXT',
          key: 'orderId',
          path: 'orderId',
        });
        await expect(runner.start(workflow)).rejects.toMatchObject({ code: 'INVALID_CONTEXT' });
        expect((await runner.list({ workflow: 'checked' })).items).toHaveLength(1);
      };
    }),
  );
});

describe('Inside a task', () => {
  it(
    'waiting for an execution is refused: it may need the slot that the task holds',
    inTenant((serve) => {
      const codes: unknown[] = [];
      let runner: CloacinaRunner;
      const child = defineWorkflow('child')
        .task('only', () => undefined)
        .build();
      const code = (work: Promise<unknown>): Promise<unknown> =>
        work.then(
          () => codes.push('none'),
          (error: { code?: string }) => codes.push(error.code),
        );
      const parent = defineWorkflow('parent')
        .task('only', async () => {
          await code(runner.execute(child));
          const handle = await runner.start(child);
          await code(handle.result());
          await code(handle.status());
          await new Promise<void>((resolve, reject) => {
            setTimeout(() => void code(handle.result()).then(() => resolve(), reject), 1);
          });
          return { child: handle.id };
        })
        .build();
      serve(child);
      serve(parent);
      return async (tenant) => {
        ({ runner } = tenant);
        const result: ExecutionResult = await runner.execute(parent);
        expect(codes).toEqual(['NOT_ALLOWED', 'NOT_ALLOWED', 'none', 'NOT_ALLOWED']);
        expect((await runner.handle(String(result.context['child'])).result()).status).toBe(
          'Completed',
        );
      };
    }),
  );
});

describe('execute', () => {
  it(
    'with a manager is refused: nobody could see it before the commit',
    inTenant((serve) => {
      const workflow = defineWorkflow('never')
        .task('only', () => undefined)
        .build();
      serve(workflow);
      return async ({ runner, dataSource }) => {
        await dataSource.transaction(async (manager) => {
          await expect(runner.execute(workflow, {}, { manager })).rejects.toMatchObject({
            code: 'NOT_ALLOWED',
          });
        });
        expect((await runner.list({ workflow: 'never' })).items).toEqual([]);
      };
    }),
  );

  it(
    'waits no longer than its timeout, and the execution goes on',
    inTenant((serve) => {
      const workflow = defineWorkflow('later')
        .task('only', () => undefined)
        .build();
      serve(workflow);
      return async (tenant) => {
        const { runner } = tenant;
        const waiting = runner.execute(workflow, {}, { delay: '1h', timeout: 50 });
        await expect(waiting).rejects.toMatchObject({ code: 'WAIT_TIMEOUT', timeoutMs: 50 });
        const [execution] = (await runner.list({ workflow: 'later' })).items;
        const handle = runner.handle(execution?.id ?? '');
        expect(await handle.status()).toBe('Pending');
        await makeDue(tenant, handle.id);
        expect((await handle.result({ timeout: '60d' })).status).toBe('Completed');
      };
    }),
  );
});
