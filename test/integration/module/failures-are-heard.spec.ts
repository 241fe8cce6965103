import { Injectable, Logger, Module, Scope } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getRunnerToken } from '../../../lib/cloacina.tokens.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { OnWorkflowEvent } from '../../../lib/discovery/on-workflow-event.decorator.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import type { WorkflowEventOf } from '../../../lib/events/event-name.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const retry = { maxAttempts: 2, delay: 1, jitter: false };

@Workflow({ name: 'order' })
class Order {
  @Task({ retry })
  charge(context: TaskContext<{ failures: number }>) {
    if (context.attempt <= context.require('failures')) throw new TypeError('card is not there');
  }
}

@Workflow({ name: 'slow', timeout: 1 })
class Slow {
  @Task()
  async wait(context: TaskContext) {
    await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
  }
}

@Workflow({ name: 'chain' })
class Chain {
  @Task()
  first() {
    throw new NonRetryableError('declined');
  }

  @Task({ dependsOn: ['first'] })
  second() {}
}

@Injectable()
class Alerts {
  readonly heard: string[] = [];

  @OnWorkflowEvent('execution.failed')
  failed({ tenant, workflow, error, failedTask }: WorkflowEventOf<'execution.failed'>) {
    this.heard.push(`${tenant}: ${workflow} failed at ${failedTask}: ${error?.name}`);
    throw new Error('the pager is away');
  }

  @OnWorkflowEvent(['task.retrying', 'task.completed'], { workflow: Order, tenant: 'second' })
  async attempts(event: WorkflowEventOf<'task.retrying' | 'task.completed'>) {
    this.heard.push(`${event.tenant}: ${event.type}, attempt ${event.attempt}`);
    await Promise.reject(new Error('also away'));
  }
}

const log: string[] = [];
const write =
  (level: string) =>
  (message: unknown, ...rest: unknown[]): void =>
    void log.push([level, message, ...rest].join(' '));

let app: TestingModule;
let alerts: Alerts;

beforeAll(async () => {
  @Module({
    imports: [
      CloacinaModule.forRoot({ databaseUrl: databaseUrl() }),
      CloacinaModule.forTenant({ tenant: 'first', schema: freshSchema('heard') }),
    ],
    providers: [Order, Slow, Chain, Alerts],
  })
  class AppModule {}
  app = await Test.createTestingModule({ imports: [AppModule] })
    .setLogger({ log: write('LOG'), warn: write('WARN'), error: write('ERROR') })
    .compile();
  await app.init();
  alerts = app.get(Alerts);
});

afterAll(async () => {
  await app.close();
  Logger.overrideLogger(false);
});

const runnerOf = (tenant: string): CloacinaRunner => app.get(getRunnerToken(tenant));
const linesWith = (text: string): string[] => log.filter((line) => line.includes(text));

describe('Failures', () => {
  it('are written to the log: a line says what is served', () => {
    expect(linesWith('Serving')).toEqual([
      'LOG Serving 1 tenant ("first"), 3 workflows ("chain", "order", "slow"), at most 100 tasks at once. Cloacina',
    ]);
  });

  it('are written to the log: a WARN for each attempt, one ERROR for the execution, with the stack', async () => {
    const { id } = await runnerOf('first').start(Order, { failures: 2 });
    await waitFor(() => linesWith(id).some((line) => line.startsWith('ERROR')));
    const lines = linesWith(id);
    expect(lines).toHaveLength(3);
    const [first, second, last] = lines;
    expect(first).toContain(
      `WARN Tenant "first": attempt 1 of 2 of task charge of order failed and will be retried in 1 ms, execution ${id}. TypeError: card is not there\n`,
    );
    expect(first).toContain('failures-are-heard.spec');
    expect(second).toContain(`attempt 2 of 2 of task charge of order failed`);
    expect(second).toContain(
      `failed and will not be retried, execution ${id}. TypeError: card is not there\n`,
    );
    expect(last).toContain(
      `ERROR Tenant "first": execution ${id} of order failed at task charge: TypeError: card is not there`,
    );
    expect(last).toContain('failures-are-heard.spec');
  });

  it('name the task that failed where others were skipped behind it', async () => {
    const { id } = await runnerOf('first').start(Chain, {});
    await waitFor(() => linesWith(id).some((line) => line.startsWith('ERROR')));
    expect(linesWith(id).join('\n')).toContain(
      `ERROR Tenant "first": execution ${id} of chain failed at task first: NonRetryableError: declined`,
    );
    expect(alerts.heard).toContain('first: chain failed at first: NonRetryableError');
  });

  it('are told of an execution that timed out', async () => {
    const { id } = await runnerOf('first').start(Slow, {});
    await waitFor(() => linesWith(id).some((line) => line.startsWith('ERROR')));
    expect(linesWith(id).join('\n')).toContain(
      `ERROR Tenant "first": execution ${id} of slow failed: WorkflowTimeoutError:`,
    );
    expect(alerts.heard).toContain('first: slow failed at undefined: WorkflowTimeoutError');
  });

  it('come to methods with @OnWorkflowEvent, of tenants that were added later too, whose errors are logged', async () => {
    await app.get(CloacinaTenants).add({ tenant: 'second', schema: freshSchema('heard') });
    await runnerOf('first').start(Order, { failures: 1 });
    const tenants = app.get(CloacinaTenants);
    await tenants.get('second').runner.start(Order, { failures: 1 });
    await waitFor(() => linesWith('also away').length === 2);
    expect(alerts.heard.filter((line) => line.includes('attempt'))).toEqual([
      'second: task.retrying, attempt 1',
      'second: task.ended, attempt 2',
    ]);
    expect(alerts.heard).toContain('first: order failed at charge: TypeError');
    expect(linesWith('the pager is away')[0]).toContain(
      'ERROR failed(), a method with @OnWorkflowEvent, failed: Error: the pager is away Error: the pager is away\n',
    );
  });
});

describe('@OnWorkflowEvent', () => {
  it('with mistakes ends the boot with all of them', async () => {
    @Injectable()
    class Wrong {
      @OnWorkflowEvent('task.faild' as 'task.failed')
      first() {}
      @OnWorkflowEvent('task.failed', { workflow: 'ordr' })
      second() {}
      @OnWorkflowEvent('task.failed', { tenants: 'acme' } as object)
      third() {}
      @OnWorkflowEvent('task.failed', { workflow: undefined })
      fourth() {}
      @OnWorkflowEvent('task.failed', { workflow: [Order, undefined] } as object)
      fifth() {}
    }
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      @OnWorkflowEvent('task.failed')
      failed() {}
    }
    const wrong = await Test.createTestingModule({
      imports: [CloacinaModule.forRoot({ databaseUrl: databaseUrl() })],
      providers: [Order, Wrong, Scoped],
    }).compile();
    const error: unknown = await wrong.init().catch((thrown: unknown) => thrown);
    expect(error).toHaveProperty('problems', [
      '@OnWorkflowEvent of Wrong.first() has "task.faild", which is not an event. Did you mean "task.failed"?',
      '@OnWorkflowEvent of Wrong.second(): workflow has "ordr", which no module provides. Did you mean "order"?',
      '@OnWorkflowEvent of Wrong.third(): there is no option "tenants". Did you mean "tenant"?',
      ...['fourth', 'fifth'].map(
        (method) =>
          `@OnWorkflowEvent of Wrong.${method}(): workflow is undefined, as a class is while files import each other. ` +
          'Give the name of the workflow instead, or leave the option out.',
      ),
      'Scoped (in RootTestModule) has @OnWorkflowEvent, but Nest creates it for each request or for each place that injects it. ' +
        'Events happen outside of requests: move the method to a provider with the default scope.',
    ]);
  });
});
