import { Module, type ModuleMetadata } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineEvent, defineSignal } from '../../../lib/discovery/message-definitions.js';
import { Child, Sleep, WaitFor } from '../../../lib/discovery/node-decorators.js';
import type { Node } from '../../../lib/discovery/node-options.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { exploreWorkflows, type Exploration } from '../../../lib/discovery/workflow-explorer.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { contextValue, taskFailed } from '../../../lib/workflow/trigger-rule.js';

const Approval = defineSignal<{ by: string }>('approve');
const Paid = defineEvent<number>('invoice.paid');

interface Invoice {
  total: number;
  invoiceId: string;
  dueDate?: string;
}

@Workflow({ name: 'render' })
class Render {
  @Task()
  render(_context: TaskContext<{ id: string; pdf?: string }>) {}
}

@Workflow({ name: 'invoice' })
class InvoiceWorkflow {
  @Task()
  price(_context: TaskContext<Invoice>) {}

  @WaitFor({
    name: 'four-eyes',
    signal: Approval,
    dependsOn: ['price'],
    when: contextValue('total', 'greaterThan', 1000),
    timeout: '14d',
  })
  approval!: Node<typeof Approval>;

  @WaitFor({ event: Paid, key: 'invoiceId', dependsOn: ['price'] })
  payment!: Node<typeof Paid>;

  @Sleep({ until: 'dueDate', dependsOn: ['payment'] })
  due!: Node;

  @Child(() => Render, {
    dependsOn: ['approval'],
    input: (context) => ({ id: context.require('invoiceId') }),
    output: 'pdf',
  })
  pdf!: Node<typeof Render>;

  @Task({ dependsOn: ['approval'], when: taskFailed('approval') })
  refuse() {}
}

async function explore(metadata: ModuleMetadata): Promise<Exploration> {
  @Module(metadata)
  class AppModule {}
  const app = await Test.createTestingModule({ imports: [AppModule] }).compile();
  return exploreWorkflows(app.get(ModulesContainer).values(), true);
}

async function problemsOf(type: new () => object): Promise<readonly string[]> {
  return (await explore({ providers: [type] })).problems;
}

describe('Nodes of a class', () => {
  it('become tasks without handlers, in the order of the source', async () => {
    const { workflows, problems } = await explore({ providers: [InvoiceWorkflow, Render] });
    expect(problems).toEqual([]);
    const [invoice] = workflows;
    expect(
      invoice?.definition.tasks.map(({ name, dependsOn, node }) => [name, dependsOn, node?.kind]),
    ).toEqual([
      ['price', [], undefined],
      ['four-eyes', [0], 'wait'],
      ['payment', [0], 'wait'],
      ['due', [2], 'sleep'],
      ['pdf', [1], 'child'],
      ['refuse', [1], undefined],
    ]);
    expect(invoice?.definition.tasks[1]).toMatchObject({
      rule: { kind: 'contextValue', key: 'total' },
      node: { signal: 'approve', onTimeout: 'fail' },
    });
    expect(invoice?.definition.tasks[4]?.node).toMatchObject({ workflow: 'render', output: 'pdf' });
    expect(invoice?.definition.tasks[5]?.rule).toMatchObject({ task: 'four-eyes' });
    expect([...(invoice?.handlers.keys() ?? [])]).toEqual(['price', 'refuse']);
    expect([...(invoice?.inputs?.keys() ?? [])]).toEqual(['pdf']);
  });

  it('are the same as those of a builder', async () => {
    const built = defineWorkflow<Invoice>('invoice')
      .task('price', () => undefined)
      .waitFor('four-eyes', {
        signal: Approval,
        dependsOn: ['price'],
        when: contextValue('total', 'greaterThan', 1000),
        timeout: '14d',
      })
      .waitFor('payment', { event: Paid, key: 'invoiceId', dependsOn: ['price'] })
      .sleep('due', { until: 'dueDate', dependsOn: ['payment'] })
      .child('pdf', Render, {
        dependsOn: ['four-eyes'],
        input: (context) => ({ id: context.require('invoiceId') }),
        output: 'pdf',
      })
      .task('refuse', { dependsOn: ['four-eyes'], when: taskFailed('four-eyes') }, () => undefined)
      .build();
    const [byClass] = (await explore({ providers: [InvoiceWorkflow] })).workflows;
    const [byBuilder] = (await explore({ providers: [{ provide: 'W', useValue: built }] }))
      .workflows;
    expect(byBuilder?.definition.hash).toBe(byClass?.definition.hash);
  });

  it('are inherited, and replaced by a property or method of the same name', async () => {
    @Workflow({ name: 'other' })
    class Other extends InvoiceWorkflow {
      @Sleep({ for: '2d' })
      override due!: Node;
    }
    const [other] = (await explore({ providers: [Other] })).workflows;
    expect(other?.definition.tasks.find(({ name }) => name === 'due')).toMatchObject({
      dependsOn: [],
      node: { kind: 'sleep', forMs: 2 * 86_400_000 },
    });
    expect(other?.definition.tasks).toHaveLength(6);
  });
});

/** A class that is not a workflow. */
class Approvals {
  count = 0;
}

describe('Mistakes in nodes', () => {
  // What the compiler refuses already, as plain JavaScript may have it.
  const any = (value: unknown): never => value as never;

  it('are told all at once, with the node that has them', async () => {
    @Workflow({ name: 'wrong' })
    class Wrong {
      @WaitFor(any({ signal: 'approve' }))
      notASignal!: never;
      @WaitFor(any({ event: Approval, key: 'a' }))
      notAnEvent!: never;
      @WaitFor(any({ signal: Approval, retry: {} }))
      retried!: never;
      @WaitFor(any({ signal: Approval, timeout: 'soon' }))
      late!: never;
      @Sleep(any({ for: '1d', dependsOn: ['late', 'lte'] }))
      lost!: never;
      @Sleep(any({ untl: 'dueDate' }))
      misspelt!: never;
      @Child(any(() => Approvals))
      classless!: never;
      @Child(any(() => undefined))
      circular!: never;
      @Child(() => 'render', any({ input: { id: 1 } }))
      noFunction!: never;
    }
    expect(await problemsOf(Wrong)).toEqual([
      `Workflow "wrong", task "notASignal": signal must be a result of defineSignal(), not 'approve'.`,
      expect.stringMatching(
        /^Workflow "wrong", task "notAnEvent": event must be a result of defineEvent\(\), not /,
      ),
      'Workflow "wrong", task "retried": there is no option "retry".',
      'Workflow "wrong", task "misspelt": there is no option "untl". Did you mean "until"?',
      expect.stringMatching(/^Workflow "wrong", task "classless": .*has no @Workflow/),
      expect.stringMatching(/^Workflow "wrong", task "circular": .*must be a class with @Workflow/),
      expect.stringMatching(/^Workflow "wrong", task "noFunction": input must be a function/),
      expect.stringContaining('task "late" has the timeout "soon"'),
      expect.stringContaining('task "misspelt" must sleep either'),
      'Workflow "wrong": task "lost" depends on "lte", which is not a task of this workflow. Did you mean "late"?',
    ]);
  });

  it('are told of a class without @Workflow, and of static properties', async () => {
    class Stray {
      @Sleep({ for: '1d' })
      pause!: Node;
      @Task()
      run() {}
    }
    @Workflow({ name: 'static' })
    class Static {
      @Task()
      run() {}
      @Sleep(any({ for: '1d' }))
      static pause: never;
    }
    expect(await problemsOf(Stray)).toEqual([
      expect.stringContaining('has @Sleep and @Task on pause, run(), but no @Workflow({ name })'),
    ]);
    expect(await problemsOf(Static)).toEqual(['Static.pause is static, and cannot have @Sleep.']);
  });

  it('are told of a builder too', async () => {
    const built = defineWorkflow('wrong')
      .waitFor('a', any({ signal: 7 }))
      .child('b', any(7))
      .build();
    const { problems } = await explore({ providers: [{ provide: 'W', useValue: built }] });
    expect(problems).toEqual([
      'Workflow "wrong", task "a": signal must be a result of defineSignal(), not 7.',
      expect.stringMatching(/^Workflow "wrong", task "b": .*not 7/),
    ]);
  });
});
