import { Injectable, Module, Scope } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { of } from 'rxjs';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getRunnerToken } from '../../../lib/cloacina.tokens.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { TaskCallHandler, TaskInterceptor } from '../../../lib/discovery/task-interceptor.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { currentTask } from '../../../lib/engine/execution/current-task.js';
import { isDeferral } from '../../../lib/engine/execution/task-deferral.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { databaseUrl } from '../../support/postgres.js';
import { preparedSchema } from '../tenants/prepared-schema.js';

const retry = { maxAttempts: 2, delay: 1, jitter: false };
const seen: string[] = [];

@Workflow({ name: 'order' })
class Order {
  private asked = 0;

  @Task({ retry })
  plain(context: TaskContext) {
    seen.push(`handler ${context.attempt}`);
    if (context.attempt === 1) throw new TypeError('first');
    return of({ from: 'nobody' }, { from: 'the handler' });
  }

  @Task({ dependsOn: ['plain'], transactional: true })
  async written(context: TaskContext) {
    await context.manager.query('SELECT 1');
  }

  @Task({ dependsOn: ['written'] })
  async waits(context: TaskContext) {
    await context.deferUntil(() => this.asked++ > 0, { every: 1 });
  }
}

@Workflow({ name: 'twice' })
class Twice {
  runs = 0;

  @Task({ retry })
  only() {
    this.runs++;
  }
}

@Injectable()
class Outer implements TaskInterceptor {
  async intercept(context: TaskContext, next: TaskCallHandler) {
    seen.push(`outer ${context.taskName} ${currentTask() === context}`);
    try {
      return await next.handle();
    } catch (error) {
      seen.push(isDeferral(error) ? 'deferred' : `outer saw ${String(error)}`);
      throw error;
    }
  }
}

@Injectable()
class Inner implements TaskInterceptor {
  intercept(context: TaskContext, next: TaskCallHandler) {
    seen.push(`inner ${context.taskName}`);
    if (context.workflow === 'twice') return next.handle().then(() => next.handle());
    return next.handle();
  }
}

let app: TestingModule;
let runner: CloacinaRunner;

beforeAll(async () => {
  const schema = await preparedSchema('interceptors');
  @Module({
    imports: [
      CloacinaModule.forRoot({
        databaseUrl: databaseUrl(),
        taskInterceptors: [Outer, Inner],
        logFailures: false,
      }),
      CloacinaModule.forTenant({ tenant: 'acme', schema }),
    ],
    providers: [Inner, Order, Outer, Twice],
  })
  class AppModule {}
  app = await Test.createTestingModule({ imports: [AppModule] }).compile();
  await app.init();
  runner = app.get<CloacinaRunner>(getRunnerToken('acme'));
});

afterAll(() => app.close());

describe('Task interceptors', () => {
  it('run around every attempt, outermost first, and see results, failures and deferrals', async () => {
    const { context } = await runner.execute(Order);
    expect(context).toEqual({ from: 'the handler' });
    expect(seen).toEqual([
      'outer plain true',
      'inner plain',
      'handler 1',
      'outer saw TypeError: first',
      'outer plain true',
      'inner plain',
      'handler 2',
      'outer written true',
      'inner written',
      'outer waits true',
      'inner waits',
      'deferred',
      'outer waits true',
      'inner waits',
    ]);
  });

  it('run the handler once for each attempt', async () => {
    const { error } = await runner.execute(Twice, {}, { settled: true });
    expect(error).toMatchObject({ code: 'NOT_ALLOWED' });
    expect(app.get(Twice).runs).toBe(1);
  });

  it('that can not be used end the boot with all of them', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped implements TaskInterceptor {
      intercept(_: TaskContext, next: TaskCallHandler) {
        return next.handle();
      }
    }
    @Injectable()
    class Wrong {}
    const taskInterceptors = [Scoped, Wrong as never, Inner];
    const wrong = await Test.createTestingModule({
      imports: [CloacinaModule.forRoot({ databaseUrl: databaseUrl(), taskInterceptors })],
      providers: [Order, Scoped, Wrong],
    }).compile();
    const owner = 'CloacinaModule.forRoot(): taskInterceptors has';
    await expect(wrong.init()).rejects.toHaveProperty('problems', [
      `${owner} Scoped, which Nest creates for each request or for each place that injects it. Tasks run outside of requests: give it the default scope.`,
      `${owner} Wrong, which has no method intercept(context, next).`,
      `${owner} Inner, which no module provides. Add it to the providers of a module.`,
    ]);
  });
});
