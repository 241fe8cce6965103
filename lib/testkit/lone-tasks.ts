import type { RegisteredWorkflow } from '../discovery/registered-workflow.js';
import type { TaskContext } from '../discovery/task-context.js';
import { InvalidArgumentError, didYouMean } from '../errors/index.js';
import { assertDefined } from '../workflow/assert-defined.js';
import { compileWorkflow } from '../workflow/compile.js';

/** What a handler that runs alone sees of its run. */
export interface LoneRun {
  readonly workflow: RegisteredWorkflow;
  readonly task: string;
  readonly attempt: number;
  readonly recoveryAttempt: number;
}

/** What came of it. */
export interface LoneResult {
  /** The names of the keys that the handler has set or returned. */
  readonly keys: ReadonlySet<string>;
  /** What it threw. */
  readonly thrown: { readonly error: unknown } | undefined;
}

/** Workflows with one task of another workflow. */
export class LoneTasks {
  private count = 0;
  private readonly runs = new Map<string, LoneRun>();
  private readonly views = new WeakMap<TaskContext, TaskContext>();

  /** Makes a workflow of the task alone: without dependencies, with one attempt. `result` tells what came of its run. */
  create(run: LoneRun): { workflow: RegisteredWorkflow; result: () => LoneResult } {
    const task = taskOf(run);
    const handler = assertDefined(run.workflow.handlers.get(run.task));
    const name = `cloacina.test.${++this.count}`;
    const compiled = compileWorkflow({
      name,
      tasks: [
        {
          name: run.task,
          timeout: task.timeoutMs,
          transactional: task.transactional,
          retry: { maxAttempts: 1 },
        },
      ],
    });
    if (!compiled.ok) throw new Error(compiled.problems.join('\n'));
    this.runs.set(name, run);
    const keys = new Set<string>();
    let thrown: LoneResult['thrown'];
    const observed = async (context: TaskContext): Promise<unknown> => {
      thrown = undefined;
      try {
        const returned = await handler.run(noting(keys, this.viewOf(context)));
        if (typeof returned === 'object' && returned !== null)
          for (const key of Object.keys(returned)) keys.add(key);
        return returned;
      } catch (error) {
        thrown = { error };
        throw error;
      }
    };
    const workflow: RegisteredWorkflow = {
      definition: compiled.workflow,
      handlers: new Map([[run.task, { run: observed }]]),
      source: run.workflow.source,
    };
    return { workflow, result: () => ({ keys, thrown }) };
  }

  /** The context as the handler is to see it. That of any other task is unchanged. */
  viewOf(context: TaskContext): TaskContext {
    const run = this.runs.get(context.workflow);
    if (run === undefined) return context;
    let view = this.views.get(context);
    if (view === undefined) {
      view = withFacts(context, {
        workflow: run.workflow.definition.name,
        attempt: run.attempt,
        recoveryAttempt: run.recoveryAttempt,
        maxAttempts: taskOf(run).retry.maxAttempts,
      });
      this.views.set(context, view);
    }
    return view;
  }
}

function taskOf({ workflow, task }: Pick<LoneRun, 'workflow' | 'task'>) {
  const { definition, handlers } = workflow;
  const found = definition.tasks.find(({ name }) => name === task);
  if (found === undefined) {
    const names = definition.tasks.map(({ name }) => name);
    throw new InvalidArgumentError(
      'task',
      `"${task}" is not a task of workflow "${definition.name}".${didYouMean(task, names)}`,
    );
  }
  if (handlers.has(task) && found.node === undefined) return found;
  throw new InvalidArgumentError(
    'task',
    `"${task}" of workflow "${definition.name}" is not run by a handler alone: run the workflow`,
  );
}

function withFacts(context: TaskContext, facts: Partial<TaskContext>): TaskContext {
  return new Proxy(context, {
    get: (target, key) => {
      if (Object.hasOwn(facts, key)) return Reflect.get(facts, key) as unknown;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Notes the keys that the handler sets. */
function noting(keys: Set<string>, context: TaskContext): TaskContext {
  const set: TaskContext['set'] = (key: string, value: unknown) => {
    keys.add(key);
    context.set(key, value);
  };
  return withFacts(context, { set });
}
