import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type {
  WorkflowBuilder,
  WorkflowDefinition,
} from '../../../lib/discovery/workflow-builder.js';
import { always } from '../../../lib/workflow/index.js';
import { News, signalOf } from './messages.js';
import { childPath, TELLER, type Program, type ProgramInput, type ProgramTask } from './program.js';
import type { ProgramHandlers } from './program-handlers.js';

/** Without a handler: for a process that only starts and sends. */
type Handlers = Pick<ProgramHandlers, 'handle' | 'tell'>;

/** The workflow of a program. */
export function buildWorkflow(program: Program, handlers: Handlers): WorkflowDefinition {
  const { name, timeoutMs, tasks } = program;
  let builder: WorkflowBuilder = defineWorkflow(
    name,
    timeoutMs === undefined ? {} : { timeout: timeoutMs },
  );
  for (const task of tasks) builder = addTask(builder, program, task, handlers);
  return builder.build();
}

function addTask(
  builder: WorkflowBuilder,
  program: Program,
  task: ProgramTask,
  handlers: Handlers,
): WorkflowBuilder {
  const { name, node, transactional = false } = task;
  // The types of a builder follow literal names, and the names here are not literal.
  const untyped = builder as never as {
    [K in 'task' | 'waitFor' | 'sleep' | 'child']: (...args: unknown[]) => WorkflowBuilder;
  };
  const base = {
    dependsOn: [...task.dependsOn],
    ...(task.always === true ? { when: always() } : {}),
  };
  switch (node?.kind) {
    case undefined: {
      const retry = { maxAttempts: 50, backoff: 'fixed', delay: 50, jitter: false } as const;
      return untyped.task(name, { ...base, transactional, retry }, (context: TaskContext) =>
        program === TELLER
          ? handlers.tell(context as never)
          : handlers.handle(task, context as never),
      );
    }
    case 'signal':
      return untyped.waitFor(name, { ...base, signal: signalOf(name) });
    case 'timeout': {
      const { ms, onTimeout } = node;
      return untyped.waitFor(name, { ...base, signal: signalOf(name), timeout: ms, onTimeout });
    }
    case 'event':
      return untyped.waitFor(name, { ...base, event: News, key: 'path', lookback: '1h' });
    case 'sleep':
      return untyped.sleep(name, { ...base, for: node.ms });
    case 'child': {
      const { program: child, onParentEnd } = node;
      const input = (context: TaskContext<ProgramInput>): object => ({
        path: childPath(context.require('path'), name),
      });
      return untyped.child(name, child, { ...base, onParentEnd, input });
    }
  }
}
