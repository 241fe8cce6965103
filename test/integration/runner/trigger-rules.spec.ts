import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { Execution } from '../../../lib/runner/execution.js';
import {
  all,
  always,
  any,
  contextValue,
  none,
  notFailed,
  taskFailed,
  taskSkipped,
  taskSucceeded,
  type TriggerRule,
} from '../../../lib/workflow/index.js';
import { openTenant, sharedTenant } from '../../support/open-tenant.js';

const fail = (): never => {
  throw new Error('on purpose');
};
const once = { retry: { maxAttempts: 1 } } as const;

/** Each task's status, with the reason of a skip. */
function outcomes({ tasks }: Execution): Record<string, string> {
  return Object.fromEntries(
    tasks.map(({ name, status, skipReason }) => [
      name,
      skipReason === undefined ? status : `${status}: ${skipReason}`,
    ]),
  );
}

const CONTEXT = {
  number: 5,
  text: 'hello',
  list: [1, { a: 1 }],
  object: { a: 1, b: 2 },
  nothing: null,
};

// [rule, whether it holds]; the context is CONTEXT.
const CONTEXT_RULES: [TriggerRule<'first'>, boolean][] = [
  [contextValue('number', 'equals', 5), true],
  [contextValue('number', 'equals', '5'), false],
  [contextValue('object', 'equals', { b: 2, a: 1 }), true],
  [contextValue('missing', 'equals', null), false],
  [contextValue('number', 'notEquals', 6), true],
  [contextValue('missing', 'notEquals', 6), true],
  [contextValue('number', 'greaterThan', 4), true],
  [contextValue('number', 'greaterThan', 5), false],
  [contextValue('text', 'greaterThan', 4), false],
  [contextValue('number', 'lessThan', 6), true],
  [contextValue('number', 'lessThan', '6'), false],
  [contextValue('text', 'contains', 'ell'), true],
  [contextValue('list', 'contains', { a: 1 }), true],
  [contextValue('list', 'contains', 2), false],
  [contextValue('number', 'contains', 5), false],
  [contextValue('text', 'notContains', 'x'), true],
  [contextValue('list', 'notContains', 1), false],
  [contextValue('nothing', 'exists'), true],
  [contextValue('missing', 'exists'), false],
  [contextValue('missing', 'notExists'), true],
  [contextValue('deleted', 'exists'), false],
];

// Of `ok`, which completes, `bad`, which fails, and `out`, which its rule skips.
const TASK_RULES: [TriggerRule, string][] = [
  [taskSucceeded('ok'), 'Completed'],
  [taskSucceeded('bad'), 'Skipped: upstreamFailure'],
  [taskSucceeded('out'), 'Skipped: rule'],
  [taskFailed('bad'), 'Completed'],
  [taskFailed('ok'), 'Skipped: rule'],
  [taskSkipped('out'), 'Completed'],
  [taskSkipped('ok'), 'Skipped: rule'],
  [all(taskSucceeded('ok'), taskFailed('bad'), taskSkipped('out')), 'Completed'],
  [all(taskSucceeded('ok'), taskSucceeded('bad')), 'Skipped: upstreamFailure'],
  [any(taskFailed('ok'), taskSkipped('out')), 'Completed'],
  [any(taskFailed('ok'), taskSkipped('ok')), 'Skipped: rule'],
  [none(taskFailed('ok'), taskSkipped('ok')), 'Completed'],
  [none(taskFailed('bad')), 'Skipped: upstreamFailure'],
  [
    all(any(taskFailed('ok'), none(taskFailed('ok'))), none(all(), any(), taskSkipped('ok'))),
    'Skipped: rule',
  ],
  [all(any(taskFailed('ok'), none(taskFailed('ok'))), none(any(), taskSkipped('ok'))), 'Completed'],
  [all(), 'Completed'],
  [none(), 'Completed'],
  [any(), 'Skipped: rule'],
  [always(), 'Completed'],
  [notFailed(), 'Skipped: upstreamFailure'],
];

const inTenant = sharedTenant();

describe('Trigger rules', () => {
  it(
    'compare values of the context with every operator',
    inTenant((serve) => {
      let builder = defineWorkflow('context-rules').task('first', (context) =>
        context.delete('deleted'),
      );
      CONTEXT_RULES.forEach(([when], i) => {
        builder = builder.task(`rule ${i}`, { dependsOn: ['first'], when }, () => undefined);
      });
      const workflow = serve(builder.build());
      return async ({ runner }) => {
        const result = await runner.execute(workflow, { ...CONTEXT, deleted: 1 });
        expect(result.status).toBe('Completed');
        expect(outcomes(result)).toEqual({
          first: 'Completed',
          ...Object.fromEntries(
            CONTEXT_RULES.map(([, holds], i) => [
              `rule ${i}`,
              holds ? 'Completed' : 'Skipped: rule',
            ]),
          ),
        });
      };
    }),
  );

  it(
    'ask how dependencies ended, alone and nested in all, any and none',
    inTenant((serve) => {
      const dependsOn = ['ok', 'bad', 'out'];
      let builder = defineWorkflow('task-rules')
        .task('ok', () => undefined)
        .task('bad', once, fail)
        .task('out', { when: contextValue('never', 'exists') }, () => undefined);
      TASK_RULES.forEach(([when], i) => {
        builder = builder.task(`rule ${i}`, { dependsOn, when } as object, () => undefined);
      });
      const workflow = serve(builder.build());
      return async ({ runner }) => {
        expect(outcomes(await runner.execute(workflow, {}, { settled: true }))).toEqual({
          ok: 'Completed',
          bad: 'Failed',
          out: 'Skipped: rule',
          ...Object.fromEntries(TASK_RULES.map(([, outcome], i) => [`rule ${i}`, outcome])),
        });
      };
    }),
  );

  it('let a skip go on downstream with its reason, until always() or notFailed()', async () => {
    const workflow = defineWorkflow('propagation')
      .task('bad', once, fail)
      .task('after bad', { dependsOn: ['bad'] }, () => undefined)
      .task('further', { dependsOn: ['after bad'] }, () => undefined)
      .task('clean up', { dependsOn: ['further'], when: always() }, () => undefined)
      .task('unless', { dependsOn: ['further'], when: notFailed() }, () => undefined)
      .task('option', { when: contextValue('wanted', 'exists') }, () => undefined)
      .task('after option', { dependsOn: ['option'] }, () => undefined)
      .task('join', { dependsOn: ['after option'], when: notFailed() }, () => undefined)
      .build();
    const { runner, query } = await openTenant([workflow]);
    const result = await runner.execute(workflow, {}, { settled: true });
    expect(outcomes(result)).toEqual({
      bad: 'Failed',
      'after bad': 'Skipped: upstreamFailure',
      further: 'Skipped: upstreamFailure',
      'clean up': 'Completed',
      unless: 'Skipped: upstreamFailure',
      option: 'Skipped: rule',
      'after option': 'Skipped: rule',
      join: 'Completed',
    });
    expect(result).toMatchObject({ status: 'Failed', error: { message: 'on purpose' } });
    expect(() => result.orThrow()).toThrow(expect.objectContaining({ code: 'WORKFLOW_FAILED' }));
    await expect(runner.handle(result.id).result()).rejects.toMatchObject({
      code: 'WORKFLOW_FAILED',
      executionId: result.id,
      workflow: result.workflow,
      status: 'Failed',
      cause: { name: 'Error', message: 'on purpose', stack: result.error?.stack },
    });
    const [skips] = await query<{ count: number }>(
      `SELECT count(*)::integer FROM cloacina_execution_event WHERE execution_id = $1 AND kind = 'taskSkipped'`,
      [result.id],
    );
    expect(skips?.count).toBe(5);
  });
});

describe('A failure', () => {
  const handling = (
    when: TriggerRule<'bad' | 'other'>,
    handler: () => undefined = () => undefined,
  ) =>
    defineWorkflow('handling')
      .task('bad', once, fail)
      .task('other', () => undefined)
      .task('handler', { dependsOn: ['bad', 'other'], when, ...once }, handler)
      .build();

  it.each([
    ['is handled by a dependent that asked for it', taskFailed('bad'), 'Completed'],
    [
      'is handled when asked for within a group',
      any(taskSkipped('bad'), all(taskFailed('bad'))),
      'Completed',
    ],
    ['is not handled by a dependent that runs always()', always(), 'Failed'],
    ['is not handled by a rule that asks under none()', none(none(taskFailed('bad'))), 'Failed'],
  ])('%s', async (_, when, status) => {
    const workflow = handling(when);
    const { runner } = await openTenant([workflow]);
    const result = await runner.execute(workflow, {}, { settled: true });
    expect(outcomes(result)).toMatchObject({ bad: 'Failed', handler: 'Completed' });
    expect(result.status).toBe(status);
  });

  it(
    'is not handled when the handler fails itself',
    inTenant((serve) => {
      const workflow = serve(handling(taskFailed('bad'), fail));
      return async ({ runner }) => {
        const result = await runner.execute(workflow, {}, { settled: true });
        expect(outcomes(result)).toEqual({ bad: 'Failed', other: 'Completed', handler: 'Failed' });
        expect(result.status).toBe('Failed');
      };
    }),
  );

  it(
    'counts once, however many dependents handle it',
    inTenant((serve) => {
      const workflow = serve(
        defineWorkflow('handled-twice')
          .task('bad', once, fail)
          .task('worse', once, fail)
          .task('first', { dependsOn: ['bad'], when: taskFailed('bad') }, () => undefined)
          .task('second', { dependsOn: ['bad'], when: taskFailed('bad') }, () => undefined)
          .build(),
      );
      return async ({ runner, query }) => {
        const result = await runner.execute(workflow, {}, { settled: true });
        expect(result.status).toBe('Failed');
        const [row] = await query<{ unhandled_failures: number }>(
          'SELECT unhandled_failures FROM cloacina_workflow_execution WHERE id = $1',
          [result.id],
        );
        expect(row?.unhandled_failures).toBe(1);
      };
    }),
  );
});
