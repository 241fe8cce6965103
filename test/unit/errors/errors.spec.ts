import { describe, expect, it } from '@jest/globals';
import * as errors from '../../../lib/errors/index.js';

const execution = {
  id: 'e1',
  workflow: 'order',
  status: 'Failed',
  context: { secretive: true },
  error: { name: 'Error', message: 'card declined' },
  tasks: [{ name: 'charge', status: 'Failed', error: { name: 'Error', message: 'card declined' } }],
};
const cause = new Error('cause');

/** Every error of the family, with its message. */
const FAMILY: [errors.CloacinaError, errors.CloacinaErrorCode, string][] = [
  [
    new errors.ConfigurationError(['one.', 'two.']),
    'CONFIGURATION',
    'There are 2 problems with the configuration of nestjs-cloacina:\n  1. one.\n  2. two.',
  ],
  [
    new errors.SchemaNameError('1st', 'starts with a digit'),
    'SCHEMA_NAME',
    'The schema name "1st" starts with a digit. Use 1 to 63 letters, digits and underscores, with a letter or underscore first.',
  ],
  [
    new errors.InvalidArgumentError('limit', 'must be 1 to 500, not 0'),
    'INVALID_ARGUMENT',
    'limit must be 1 to 500, not 0.',
  ],
  [
    new errors.NotAllowedError(
      'execute() with a manager',
      'it is invisible until the commit',
      'Use start().',
    ),
    'NOT_ALLOWED',
    'execute() with a manager is not allowed: it is invisible until the commit. Use start().',
  ],
  [
    new errors.UnknownWorkflowError('ordr', ['order', 'report']),
    'UNKNOWN_WORKFLOW',
    'There is no workflow "ordr". Did you mean "order"? Known: "order", "report". Add its class, or the ' +
      'result of defineWorkflow(), to the providers of a module that the application imports.',
  ],
  [
    new errors.UnknownTenantError('x', []),
    'UNKNOWN_TENANT',
    'This process does not serve tenant "x". Known: none. Add it with CloacinaModule.forTenant() or CloacinaTenants.add().',
  ],
  [new errors.NoTenantError(), 'NO_TENANT', 'The request does not say which tenant it is for.'],
  [
    new errors.UnknownExecutionError('e1', 'acme'),
    'UNKNOWN_EXECUTION',
    'Tenant "acme" has no execution "e1". Check the id, and use the runner of the tenant that started the execution.',
  ],
  [
    new errors.UnknownScheduleError('nightly', 'acme'),
    'UNKNOWN_SCHEDULE',
    'Tenant "acme" has no schedule "nightly". Use schedules.list() to see its schedules.',
  ],
  [
    new errors.UnknownPollerError('inbox', 'acme'),
    'UNKNOWN_POLLER',
    'Tenant "acme" has no poller "inbox". Use pollers.list() to see its pollers.',
  ],
  [
    new errors.TenantRemovedError('acme'),
    'TENANT_REMOVED',
    'This process no longer serves tenant "acme": it was removed or shut down here. Its data is untouched, and its executions continue in processes that serve it.',
  ],
  [
    new errors.TenantExistsError('tenant_acme', 'acme'),
    'TENANT_EXISTS',
    'A tenant with the schema "tenant_acme" and the role "acme" exists already. Its password is not stored: use the one ' +
      'that createTenant() returned, or set a new one with rotatePassword().',
  ],
  [
    new errors.TenantIncompleteError(
      { operation: 'removeTenant', schema: 's', remaining: ['schema "s"', 'role "r"'] },
      { cause },
    ),
    'TENANT_INCOMPLETE',
    'removeTenant() of schema "s" did not finish: cause. Existing parts: schema "s", role "r". Fix the cause and call ' +
      'removeTenant() again to continue.',
  ],
  [
    new errors.DuplicateSchemaError('tenant_acme', ['eu', 'us']),
    'DUPLICATE_SCHEMA',
    'The schema "tenant_acme" is a tenant\'s on the servers "eu" and "us". Keep one of them, and rename or drop the other.',
  ],
  [
    new errors.TenantMovingError({ tenant: 'acme', peer: 'us', state: 'stopping', waitedMs: 0 }),
    'TENANT_MOVING',
    'Tenant "acme" moves to server "us". Nothing was written. Try again in 3000 ms.',
  ],
  [
    new errors.MoveNotPossibleError({ schema: 'tenant_acme', from: 'eu', to: 'us' }, [
      'Table "x" was not made by a migration.',
      'Table "y" has a foreign key to schema "z".',
    ]),
    'MOVE_NOT_POSSIBLE',
    'Moving schema "tenant_acme" from server "eu" to "us" is not possible:\n' +
      '  1. Table "x" was not made by a migration.\n  2. Table "y" has a foreign key to schema "z".',
  ],
  [
    new errors.MoveFailedError(
      { schema: 'tenant_acme', from: 'eu', to: 'us' },
      { why: 'server "us" is away', isUndone: true },
    ),
    'MOVE_FAILED',
    'Moving schema "tenant_acme" from server "eu" to "us" failed: server "us" is away. It was undone: the tenant works on its ' +
      'old server as before. Remove the cause and move the tenant again.',
  ],
  [
    new errors.ChildFailedError({
      id: 'c1',
      workflow: 'render',
      error: { name: 'E', message: 'no' },
    }),
    'CHILD_FAILED',
    'The child "render", execution c1, ended Failed: E: no',
  ],
  [
    new errors.ChildCancelledError({ id: 'c1', workflow: 'render', reason: 'enough' }),
    'CHILD_CANCELLED',
    'The child "render", execution c1, was Cancelled: enough.',
  ],
  [
    new errors.ChildMissingError('c1'),
    'CHILD_MISSING',
    "Execution c1, which this task waits for, was deleted. Retry the parent with { steps: 'discard' } to start another one.",
  ],
  [
    new errors.InvalidTransitionError(
      'e1',
      'Completed',
      'pause',
      'Only Pending and Running executions can be paused.',
    ),
    'INVALID_TRANSITION',
    'Cannot pause execution e1: it is Completed. Only Pending and Running executions can be paused.',
  ],
  [
    new errors.InvalidContextError(
      'order',
      'order.items[2].price',
      'is NaN, which JSON cannot carry',
    ),
    'INVALID_CONTEXT',
    `The context's "order.items[2].price" is NaN, which JSON cannot carry.`,
  ],
  [
    new errors.ContextTooLargeError(20, 10, [
      ['a', 15],
      ['b', 5],
    ]),
    'CONTEXT_TOO_LARGE',
    'The context takes 20 bytes of JSON; the limit is 10. Its largest keys: "a" (15 bytes), "b" (5 bytes). Store large ' +
      'data elsewhere and keep a reference in the context, or raise maxContextSize.',
  ],
  [
    new errors.WorkflowFailedError(execution),
    'WORKFLOW_FAILED',
    'Workflow "order", execution e1, ended Failed in task "charge": Error: card declined',
  ],
  [
    new errors.WorkflowCancelledError({ ...execution, status: 'Cancelled', reason: 'too late' }),
    'WORKFLOW_CANCELLED',
    'Workflow "order", execution e1, was Cancelled: too late.',
  ],
  [
    new errors.WaitTimeoutError('e1', 500),
    'WAIT_TIMEOUT',
    'Execution e1 had not ended after 500 ms of waiting. It continues: call result() again, or cancel it.',
  ],
  [
    new errors.WorkflowTimeoutError('order', 500),
    'WORKFLOW_TIMEOUT',
    'Workflow "order" did not end within its timeout of 500 ms.',
  ],
  [
    new errors.TaskTimeoutError('charge', 500),
    'TASK_TIMEOUT',
    'Task "charge" did not end within its timeout of 500 ms. Pass context.signal to what it waits for, or raise the timeout.',
  ],
  [
    new errors.DeferralTimeoutError('charge', 500),
    'DEFERRAL_TIMEOUT',
    'Task "charge" waited 500 ms with deferUntil() for a condition that did not come true.',
  ],
  [
    new errors.SignalTimeoutError('approval', { kind: 'signal', name: 'approve' }, 500),
    'SIGNAL_TIMEOUT',
    'Task "approval" waited 500 ms for the signal "approve", which did not come. Handle it in a task with taskFailed(), set ' +
      "onTimeout to 'skip' or 'complete', or raise the timeout.",
  ],
  [
    new errors.TaskAbandonedError('charge', ['host:1', 'host:2']),
    'TASK_ABANDONED',
    'Task "charge" was abandoned: 2 processes that ran it ended without an outcome (host:1, host:2). Check whether ' +
      'the task itself ends its process, for example by running out of memory; then retry the execution.',
  ],
  [
    new errors.DuplicateStepError('charge', 'page'),
    'DUPLICATE_STEP',
    'Task "charge" used the name "page" twice in one run. Names tell which step or wait a recorded result belongs to. In a ' +
      "loop, add a key: context.step('page', { key: number }, …).",
  ],
  [
    new errors.InvalidTokenError(),
    'INVALID_TOKEN',
    'The signal token is not valid. Pass it exactly as context.signalToken() returned it, to a process that has the same ' +
      'signalSecret and serves the tenant of the task.',
  ],
  [
    new errors.TokenExpiredError(new Date(0)),
    'TOKEN_EXPIRED',
    'The signal token expired at 1970-01-01T00:00:00.000Z. Issue a new one with context.signalToken(), with a longer ' +
      'expiresIn if this is too early.',
  ],
  [
    new errors.ItemsFailedError('notify', {
      failed: 2,
      cancelled: 3,
      total: 9,
      first: { index: 4, error: { name: 'Error', message: 'no' } },
    }),
    'ITEMS_FAILED',
    '2 of 9 items of task "notify" failed. 3 items were cancelled. The first is item 4: Error: no. ' +
      'runner.results() reads the others.',
  ],
  [
    new errors.TooManyItemsError('notify', 1_000),
    'TOO_MANY_ITEMS',
    'The items of task "notify" are more than its maxItems, 1000. Raise maxItems (at most 1,000,000), or divide the items ' +
      'among several executions.',
  ],
  [
    new errors.StepsTooLargeError('charge', 40_000_000, 33_554_432),
    'STEPS_TOO_LARGE',
    'The results of the steps and waits of task "charge" have 40000000 bytes together; the limit is 33554432 (maxStepsSize), ' +
      'because each run of the task reads all of them. Store large results elsewhere and return their keys, or divide the ' +
      'work among several tasks or executions.',
  ],
  [
    new errors.InvalidPollError('inbox', 'starts[0].key', 'must be a string, not 5'),
    'INVALID_POLL',
    'Poller "inbox" has returned a result that is not valid: starts[0].key must be a string, not 5. Nothing of the poll ' +
      'was stored; correct the method.',
  ],
  [
    new errors.TooManyStepsError('charge', 10_000),
    'TOO_MANY_STEPS',
    'Task "charge" has 10000 steps, which is the limit. Do more in each step, for example a page of rows, or divide the ' +
      'work among several tasks or executions.',
  ],
  [
    new errors.ClaimLostError('charge', 'e1'),
    'CLAIM_LOST',
    'This process no longer holds task "charge" of execution e1: it was cancelled, given back by a shutdown, or taken over. ' +
      'Its outcome is not recorded.',
  ],
  [
    new errors.DatabaseUnavailableError({ tenant: 'acme', waitedMs: 5 }, { cause }),
    'DATABASE_UNAVAILABLE',
    'The database of tenant "acme" could not be reached for 5 ms: cause. Check that it is up and that databaseUrl is ' +
      'right; startTimeout sets the limit of the wait.',
  ],
  [
    new errors.DatabaseConnectionError(
      {
        tenant: 'acme',
        place: { host: '::1', port: 5432, database: 'a b' },
        obstacle: 'database',
      },
      { cause },
    ),
    'DATABASE_CONNECTION',
    'Tenant "acme": cannot connect to database "a b" at [::1]:5432: cause. Create it with CREATE DATABASE "a b", ' +
      'or correct its name in databaseUrl or connection.',
  ],
  [
    new errors.DatabaseRefusedError({ tenant: 'acme', sqlState: '23514' }, { cause }),
    'DATABASE_REFUSED',
    'The database of tenant "acme" refused a statement with SQLSTATE 23514: cause. Nothing was written; the server\'s ' +
      'log has the details.',
  ],
  [
    new errors.ConnectionsExhaustedError({ schema: 's', connections: 4, waitedMs: 0 }),
    'CONNECTIONS_EXHAUSTED',
    'A transaction of schema "s" asked for a second connection, and transactions that wait for a second one hold all 4 ' +
      "connections for user code. Use the transaction's own manager (context.manager in a transactional task) instead " +
      'of the data source, or raise poolSize.',
  ],
  [
    new errors.MigrationError({ schema: 's', migration: 'M1' }, { cause }),
    'MIGRATION',
    'Migration "M1" of schema "s" failed: cause. The schema is unchanged; fix the cause and boot again.',
  ],
  [
    new errors.TablesMissingError('s', { cause }),
    'TABLES_MISSING',
    'Schema "s" no longer contains the library\'s tables (cause); nothing was written. If they were moved, serve the tenant ' +
      'with its new schema. If they were dropped, boot again, which creates them anew.',
  ],
  [
    new errors.UnreadableDefinitionError({ id: '17', schema: 's', reason: 'it is missing' }),
    'UNREADABLE_DEFINITION',
    'Workflow definition 17 in schema "s" cannot be used: it is missing. Run the release that stored it, or a newer one, ' +
      'until its executions have ended.',
  ],
  [
    new errors.PermissionError(
      { action: 'create the schema "s"', grant: 'GRANT CREATE ON DATABASE d TO u' },
      { cause },
    ),
    'PERMISSION',
    'The database login may not create the schema "s" (cause). Allow it with: GRANT CREATE ON DATABASE d TO u;',
  ],
  [
    new errors.QueueFullError('orders', 12, 10),
    'QUEUE_FULL',
    'Workflow "orders" was not started: 12 of its executions have not begun, and its maxPending is 10. Try again later, add workers, or raise maxPending.',
  ],
  [
    new errors.StartManyError({ index: 7, created: 5, existing: 2 }, new Error('as planned')),
    'START_MANY',
    'startMany() has stopped at input 7, after it created 5 executions: as planned',
  ],
];

describe('the family of errors', () => {
  it.each(FAMILY)('%s', (error, code, message) => {
    expect(error).toBeInstanceOf(errors.CloacinaError);
    expect(error).toBeInstanceOf(Error);
    expect(error.code).toBe(code);
    expect(error.name).toBe(error.constructor.name);
    expect(Object.keys(error)).not.toContain('name');
    expect(error.message).toBe(message);
    expect(error.stack).toContain(`${error.name}: ${message}`);
  });

  it('has a code for each class, and none twice', () => {
    const classes = Object.values(errors).filter(
      (value) => typeof value === 'function' && value.prototype instanceof errors.CloacinaError,
    );
    expect(new Set(FAMILY.map(([error]) => error.constructor))).toEqual(new Set(classes));
    expect(new Set(FAMILY.map(([, code]) => code)).size).toBe(FAMILY.length);
  });

  it('names no option of a wait if the call did not wait', () => {
    const place = { host: 'db', port: 5432, database: 'shop' };
    const facts = { waitedMs: 5, place, isOneAttempt: true };
    expect(
      new errors.DatabaseUnavailableError(facts, { cause: new Error('refused') }).message,
    ).toBe(
      'The database "shop" at db:5432 could not be reached: refused. Check that it is up and that databaseUrl is right.',
    );
  });

  it('says of a session that is read-only what to do', () => {
    const readOnly = Object.assign(new Error('read-only'), { code: '25006' });
    expect(new errors.DatabaseUnavailableError({ waitedMs: 5 }, { cause: readOnly }).message).toBe(
      'The database took no writes for 5 ms: read-only. It is a standby, or default_transaction_read_only is on for the ' +
        'server, the database or the login: connect to the primary, or ALTER ROLE … RESET default_transaction_read_only; ' +
        'startTimeout sets the limit of the wait.',
    );
  });

  it.each([
    ['step', 'add a key: context.step('],
    ['sleep', 'Give each sleep a name of its own: context.sleep('],
    ['signal', 'Give the wait a name: context.waitFor('],
    ['event', 'Give the wait a name: context.waitFor('],
    ['child', 'Give the child a name, or in a loop a key: context.execute('],
  ] as const)('says how to give a %s another name', (kind, advice) => {
    expect(new errors.DuplicateStepError('charge', 'a', kind).message).toContain(advice);
  });

  it('carries facts', () => {
    expect(FAMILY[0]?.[0]).toMatchObject({ problems: ['one.', 'two.'] });
    const failed = new errors.WorkflowFailedError(execution);
    expect(failed.execution).toBe(execution);
    expect(failed).toMatchObject({ executionId: 'e1', workflow: 'order', status: 'Failed' });
    expect(failed.cause).toMatchObject({ name: 'Error', message: 'card declined' });
    expect(JSON.stringify(failed)).not.toContain('secretive');
    const cancelled = new errors.WorkflowCancelledError(execution);
    expect(cancelled.execution).toBe(execution);
    expect(cancelled).toMatchObject({ executionId: 'e1', workflow: 'order', status: 'Cancelled' });
    expect(cancelled).not.toHaveProperty('reason');
    expect(JSON.stringify(cancelled)).not.toContain('secretive');
  });

  it('speaks of an execution that failed without the error of a task', () => {
    const { error: _error, tasks: _tasks, ...rest } = execution;
    const failed = new errors.WorkflowFailedError({ ...rest, tasks: [] });
    expect(failed.message).toBe('Workflow "order", execution e1, ended Failed.');
    expect(failed.cause).toBeUndefined();
  });
});

describe('the errors that tasks throw', () => {
  it("are the application's", () => {
    class OutOfStock extends errors.NonRetryableError {}
    const error = new OutOfStock('gone', { cause });
    expect(error).not.toBeInstanceOf(errors.CloacinaError);
    expect([error.name, error.message, error.cause]).toEqual(['NonRetryableError', 'gone', cause]);
  });

  it.each([
    ['90s', 90_000],
    [0, 0],
    [1_500, 1_500],
  ])('take the delay %p', (delay, delayMs) => {
    expect(new errors.RetryAfterError(delay)).toMatchObject({ name: 'RetryAfterError', delayMs });
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 'soon', '5', ''])(
    'refuse the delay %p',
    (delay) => {
      expect(() => new errors.RetryAfterError(delay)).toThrow(errors.InvalidArgumentError);
    },
  );
});

describe('didYouMean', () => {
  it.each([
    ['ordr', ['report', 'order'], 'order'],
    ['ORDER', ['order'], 'order'],
    ['x', ['order'], undefined],
    ['a', ['b'], 'b'],
    ['order', [], undefined],
    ['order', ['fulfilment'], undefined],
    ['acme', ['tenant_acme', 'tenant_globex'], 'tenant_acme'],
    ['tenant_acme', ['ACME', 'globex'], 'ACME'],
    ['tenant', ['tenant_acme', 'tenant_globex'], undefined],
    ['acme', ['tenant_acmecorp'], undefined],
  ])('for %s of %p is %p', (name, known, expected) => {
    expect(errors.closestName(name, known)).toBe(expected);
  });

  it('lists names, each once, and counts those that are too many', () => {
    expect(errors.listNames(['b', 'a', 'b'])).toBe('"a", "b"');
    const many = Array.from({ length: 23 }, (_, index) => `n${index + 10}`);
    expect(errors.listNames(many)).toMatch(/^"n10", .*"n29" and 3 more$/);
  });
});
