import { Inject, Injectable, Module, Scope, type ModuleMetadata } from '@nestjs/common';
import { ModulesContainer, REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineEvent, defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { exploreWorkflows, type Exploration } from '../../../lib/discovery/workflow-explorer.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { WorkflowRegistry } from '../../../lib/discovery/registered-workflow.js';
import { contextOf } from './context-of.js';
import { all, taskFailed, taskSucceeded } from '../../../lib/workflow/trigger-rule.js';

async function explore(metadata: ModuleMetadata, instantiated = true): Promise<Exploration> {
  @Module(metadata)
  class AppModule {}
  const app = await Test.createTestingModule({ imports: [AppModule] }).compile();
  return exploreWorkflows(app.get(ModulesContainer).values(), instantiated);
}

@Injectable()
class Payments {
  charged: number[] = [];
}

@Workflow({ name: 'order', version: '2', timeout: '1h' })
class Order {
  constructor(@Inject(Payments) readonly payments: Payments) {}

  @Task({ name: 'charge-card', retry: { maxAttempts: 1, retryIf: (error) => error === 'again' } })
  charge(context: TaskContext<{ orderId: number; paid?: boolean }>) {
    this.payments.charged.push(context.require('orderId'));
    return { paid: true };
  }

  @Task({ dependsOn: ['charge'], when: all(taskSucceeded('charge')) })
  ship() {}
}

describe('exploreWorkflows', () => {
  it('finds the events that start a workflow, and their mistakes', async () => {
    const Paid = defineEvent<{ n: number }>('paid');
    const of = async (build: (builder: ReturnType<typeof defineWorkflow>) => unknown) => {
      const builder = build(defineWorkflow('started').task('only', () => undefined));
      const definition = (builder as { build(): unknown }).build();
      return explore({ providers: [{ provide: 'started', useValue: definition }] });
    };
    const { workflows, problems } = await of((builder) => builder.startOn(Paid));
    expect(problems).toEqual([]);
    expect(workflows[0]?.definition.startsOn).toEqual(['paid']);
    expect([...(workflows[0]?.eventStarts?.keys() ?? [])]).toEqual(['paid']);
    const wrong = await of((builder) =>
      builder
        .startOn(Paid, { input: 'x', kee: 1 } as never)
        .startOn(Paid)
        .startOn(defineSignal('stop') as never, {} as never),
    );
    const place = 'Workflow "started", started by event "paid"';
    expect(wrong.problems).toEqual([
      `${place}: input must be a function, not 'x'.`,
      `${place}: there is no option "kee". Did you mean "key"?`,
      `${place}: it is named twice. Keep one of them.`,
      expect.stringMatching(/^Workflow "started": the event that starts it must be a result of/),
    ]);
  });

  it('makes a workflow of a class, and calls its methods on the instance that Nest made', async () => {
    @Module({ providers: [Payments, Order], exports: [Payments] })
    class OrdersModule {}
    const app = await Test.createTestingModule({ imports: [OrdersModule] }).compile();
    const { workflows, problems } = exploreWorkflows(app.get(ModulesContainer).values(), true);
    expect(problems).toEqual([]);
    const [order] = workflows;
    expect(order?.source).toBe(Order);
    expect(order?.definition).toMatchObject({ name: 'order', version: '2', timeoutMs: 3_600_000 });
    expect(order?.definition.tasks.map(({ name }) => name)).toEqual(['charge-card', 'ship']);
    const handler = order?.handlers.get('charge-card');
    expect(handler?.run(contextOf({ orderId: 7 }))).toEqual({ paid: true });
    expect(app.get(Payments).charged).toEqual([7]);
    expect([handler?.retryIf?.('again'), handler?.retryIf?.('other')]).toEqual([true, false]);
    expect(order?.handlers.get('ship')?.retryIf).toBeUndefined();
  });

  it('takes methods for the tasks that they are, in dependsOn and in rules', async () => {
    const { workflows } = await explore({ providers: [Payments, Order] });
    expect(workflows[0]?.definition.tasks[1]).toMatchObject({
      dependsOn: [0],
      rule: { kind: 'all', rules: [{ kind: 'taskSucceeded', task: 'charge-card' }] },
    });
  });

  it('knows classes and values before anything is instantiated', async () => {
    const built = defineWorkflow('built')
      .task('one', () => undefined)
      .build();
    const providers = [
      Payments,
      {
        provide: Order,
        useFactory: (payments: Payments) => new Order(payments),
        inject: [Payments],
      },
      { provide: 'BUILT', useValue: built },
    ];
    const { workflows } = await explore({ providers }, false);
    expect(workflows.map(({ definition }) => definition.name)).toEqual(['order', 'built']);
  });

  it('finds what a factory makes under any token, what a class stands in for, and controllers', async () => {
    class Express extends Order {}
    expect(
      await explore({ providers: [Payments, { provide: Order, useClass: Express }] }),
    ).toMatchObject({
      problems: [],
      workflows: [{ source: Express, definition: { name: 'order' } }],
    });
    const factory = { provide: 'ANY', useFactory: () => new Order(new Payments()) };
    expect((await explore({ providers: [factory] })).workflows).toMatchObject([{ source: Order }]);
    expect((await explore({ providers: [factory] }, false)).workflows).toHaveLength(1);
    expect((await explore({ controllers: [Order], providers: [Payments] })).workflows).toHaveLength(
      1,
    );
  });

  it('takes an alias for no second instance', async () => {
    const providers = [Payments, Order, { provide: 'ALIAS', useExisting: Order }];
    expect(await explore({ providers })).toMatchObject({
      problems: [],
      workflows: [{ source: Order }],
    });
  });

  it('lets a mock stand in for a workflow', async () => {
    const mock = { charge: () => ({ mocked: true }) };
    const app = await Test.createTestingModule({ providers: [Payments, Order] })
      .overrideProvider(Order)
      .useValue(mock)
      .compile();
    const { workflows } = exploreWorkflows(app.get(ModulesContainer).values(), true);
    const handlers = workflows[0]?.handlers;
    expect(handlers?.get('charge-card')?.run(contextOf({}))).toEqual({ mocked: true });
    expect(() => handlers?.get('ship')?.run(contextOf({}))).toThrow('has no method ship() to call');
  });

  it('inherits tasks, in the order of the source, with the options of the method that overrides', async () => {
    abstract class Base {
      @Task() first(): object {
        return { by: 'base' };
      }
      @Task() second() {}
    }
    @Workflow({ name: 'derived' })
    class Derived extends Base {
      override first() {
        return { by: 'derived' };
      }
      @Task({ priority: 5, dependsOn: ['first'] }) override second() {}
      @Task({ dependsOn: ['second'] }) third() {}
    }
    const { workflows } = await explore({ providers: [Derived] });
    expect(workflows[0]?.definition.tasks).toMatchObject([
      { name: 'first', priority: 0 },
      { name: 'second', priority: 5, dependsOn: [0] },
      { name: 'third', dependsOn: [1] },
    ]);
    expect(workflows[0]?.handlers.get('first')?.run(contextOf({}))).toEqual({ by: 'derived' });
  });

  it('takes the input schema of a class from its static property, which a subclass inherits', async () => {
    @Workflow({ name: 'import' })
    class Import {
      static readonly input = z.object({ file: z.string() });
      @Task() read() {}
    }
    @Workflow({ name: 'nightly-import' })
    class NightlyImport extends Import {}
    const { workflows, problems } = await explore({ providers: [Import, NightlyImport] });
    expect(problems).toEqual([]);
    expect(workflows.map(({ input }) => input)).toEqual([Import.input, Import.input]);
  });

  it('makes a workflow of a definition, with its input, once though two modules provide it', async () => {
    const input = z.object({ day: z.string() });
    const built = defineWorkflow('report', { input })
      .task('collect', (context) => ({ rows: context.get('day').length }))
      .task('send', { dependsOn: ['collect'], retry: { retryIf: () => false } }, () => undefined)
      .build();
    @Module({ providers: [{ provide: 'B', useValue: built }] })
    class Other {}
    const { workflows, problems } = await explore({
      imports: [Other],
      providers: [{ provide: 'A', useValue: built }],
    });
    expect(problems).toEqual([]);
    expect(workflows).toHaveLength(1);
    expect(workflows[0]).toMatchObject({ source: built, input, definition: { name: 'report' } });
    expect(workflows[0]?.handlers.get('collect')?.run(contextOf({ day: 'xyz' }))).toEqual({
      rows: 3,
    });
  });

  it('leaves a builder as it was when a task is added', async () => {
    const base = defineWorkflow('w').task('a', () => undefined);
    base.task('b', () => undefined);
    const { workflows } = await explore({ providers: [{ provide: 'W', useValue: base.build() }] });
    expect(workflows[0]?.definition.tasks.map(({ name }) => name)).toEqual(['a']);
  });
});

describe('exploreWorkflows reports', () => {
  const problemsOf = async (metadata: ModuleMetadata, instantiated = true) =>
    (await explore(metadata, instantiated)).problems;

  it('everything at once', async () => {
    @Workflow({ name: 'broken', timeout: 'soon', owner: 'me', input: {} } as never)
    class Broken {
      @Task({ dependOn: ['b'], retry: { maxAttempt: 2, retryIf: 'yes' } } as never) a() {}
      @Task({ dependsOn: ['aa'] as never }) b() {}
      @Task({ dependsOn: ['b'], when: taskFailed('a') as never }) c() {}
      @Task() static d() {}
    }
    @Workflow({} as never)
    class Nameless {
      @Task() a() {}
    }
    @Workflow({ name: 'empty' })
    class Empty {}
    class Stray {
      @Task() lost() {}
    }
    const built = defineWorkflow('built', { timout: '1s' } as never)
      .task('a', { dependsOn: ['x' as never] }, 'no function' as never)
      .build();
    const providers = [Broken, Nameless, Empty, Stray, { provide: 'B', useValue: built }];
    const found = await explore({ providers });
    expect(found.workflows).toEqual([]);
    expect(found.problems).toEqual([
      'Stray (in AppModule) has @Task on lost(), but no @Workflow({ name }) on the class.',
      'Broken.d() is static, and cannot be a task.',
      'Workflow "broken": there is no option "owner".',
      'Workflow "broken": input must be a Standard Schema, such as zod, valibot and arktype make, not {}.',
      'Workflow "broken", task "a": there is no option "dependOn". Did you mean "dependsOn"?',
      'Workflow "broken", task "a", retry: there is no option "maxAttempt". Did you mean "maxAttempts"?',
      `Workflow "broken", task "a", retry: retryIf must be a function, not 'yes'.`,
      `Workflow "broken" has the timeout "soon"; it must be milliseconds, or a string such as '250ms', '30s', '15m', '2h' or '7d', at most ten years.`,
      'Workflow "broken": task "b" depends on "aa", which is not a task of this workflow. Did you mean "a"?',
      'Workflow "broken": task "c" has a rule on "a", which is not in its dependsOn; add it there, or remove it from the rule. Did you mean "b"?',
      'Workflow "class Nameless in AppModule" needs a name: a string that is not empty.',
      'Empty (in AppModule) has @Workflow, but no method with @Task or @MapTask, and no property with @WaitFor, @Sleep, @Child or @MapChildren.',
      'Workflow "built": there is no option "timout". Did you mean "timeout"?',
      `Workflow "built", task "a": the handler must be a function, not 'no function'.`,
      'Workflow "built": task "a" depends on "x", which is not a task of this workflow. Did you mean "a"?',
    ]);
    expect((await explore({ providers }, false)).problems).toEqual(found.problems);
  });

  it('static input that is no schema, and a second schema', async () => {
    @Workflow({ name: 'wrong' })
    class Wrong {
      static input = { file: 'string' };
      @Task() a() {}
    }
    @Workflow({ name: 'both', input: z.object({}) })
    class Both {
      static input = z.object({});
      @Task() a() {}
    }
    expect(await problemsOf({ providers: [Wrong, Both] })).toEqual([
      'Workflow "wrong": input must be a Standard Schema, such as zod, valibot and arktype make, not { file: \'string\' }.',
      'Both (in AppModule) has two input schemas: "static input" and the option "input" of @Workflow. ' +
        'Keep the static one, which also types start().',
    ]);
  });

  it("a name that is the library's", async () => {
    @Workflow({ name: 'cloacina.bulk' })
    class Bulk {
      @Task() a() {}
    }
    const [problem, ...others] = await problemsOf({ providers: [Bulk] });
    expect(others).toEqual([]);
    expect(problem).toContain('"cloacina.bulk" (class Bulk in ');
    expect(problem).toContain('has a reserved name');
  });

  it("a limit whose name is the library's, but not the fairKey behind which one is", async () => {
    @Workflow({ name: 'limited' })
    class Limited {
      @Task({ limit: { name: 'cloacina.fair', concurrency: 1 } }) a() {}
      @Task({ fairKey: 'customer' }) b() {}
    }
    const [problem, ...others] = await problemsOf({ providers: [Limited] });
    expect(others).toEqual([]);
    expect(problem).toContain('Limit "cloacina.fair", which Workflow "limited", task "a" names');
  });

  it('two workflows of one name, with both places', async () => {
    @Workflow({ name: 'order' })
    class Impostor {
      @Task() a() {}
    }
    @Module({ providers: [Impostor] })
    class Elsewhere {}
    const [problem, ...others] = await problemsOf({
      imports: [Elsewhere],
      providers: [Payments, Order],
    });
    expect(others).toEqual([]);
    expect(problem).toContain('Workflow "order" is defined more than once: ');
    expect(problem).toContain('class Order in AppModule');
    expect(problem).toContain('class Impostor in Elsewhere');
  });

  it('a class that two modules provide', async () => {
    @Module({ providers: [Payments, Order] })
    class Elsewhere {}
    const problems = await problemsOf({ imports: [Elsewhere], providers: [Payments, Order] });
    expect(problems).toEqual([
      expect.stringMatching(
        /^Order is provided in (AppModule and Elsewhere|Elsewhere and AppModule), so/,
      ),
    ]);
  });

  it('scopes, also of what is injected, naming the way to it', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      constructor(@Inject(REQUEST) readonly request: unknown) {}
    }
    @Injectable()
    class Between {
      constructor(@Inject(PerRequest) readonly perRequest: PerRequest) {}
    }
    @Workflow({ name: 'deep' })
    class Deep {
      constructor(@Inject(Between) readonly between: Between) {}
      @Task() a() {}
    }
    @Workflow({ name: 'request' })
    @Injectable({ scope: Scope.REQUEST })
    class Request {
      @Task() a() {}
    }
    @Workflow({ name: 'transient' })
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      @Task() a() {}
    }
    const providers = [PerRequest, Between, Deep, Request, Transient];
    const scopes = [
      expect.stringContaining('Request (in AppModule) is request-scoped.'),
      expect.stringContaining('Transient (in AppModule) is transient-scoped.'),
    ];
    expect(await problemsOf({ providers }, false)).toEqual(scopes);
    expect(await problemsOf({ providers })).toEqual([
      expect.stringContaining('Deep (in AppModule) is request-scoped through Between → PerRequest'),
      ...scopes,
    ]);
  });
});

describe('WorkflowRegistry', () => {
  it('finds by name, class, ancestor and definition', async () => {
    @Workflow({ name: 'order' })
    class Special extends Order {}
    const built = defineWorkflow('built')
      .task('a', () => undefined)
      .build();
    const { workflows } = await explore({
      providers: [Payments, Special, { provide: 'B', useValue: built }],
    });
    const registry = new WorkflowRegistry(workflows);
    expect(registry.list().map(({ definition }) => definition.name)).toEqual(['order', 'built']);
    for (const ref of [Special, Order, 'order']) expect(registry.find(ref)?.source).toBe(Special);
    expect(registry.find(built)?.source).toBe(built);
    expect(registry.find('other')).toBeUndefined();
    expect(() => registry.find(Payments)).toThrow('the class Payments, which has no @Workflow');
    expect(() => registry.find(undefined as never)).toThrow('not undefined');
  });
});
