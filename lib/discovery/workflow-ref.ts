import type { Type } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { ContextOfTasks, InputOfTasks } from './class-types.js';
import type { Simplify } from './context-types.js';
import type { ContextOfSchema, InputOfSchema } from './schema-types.js';
import type { JsonObject } from './task-context.js';
import type { WorkflowDefinition } from './workflow-builder.js';
import { getWorkflowOptions } from './workflow-metadata.js';

/** What a workflow is named by: its class, its name, or its definition. */
export type WorkflowRef = Type<unknown> | string | WorkflowDefinition;

/**
 * The context that `start` takes for a workflow.
 *
 * - Of a class: what its `static input` schema takes. Without one, what its tasks say that they see, `TaskContext<C>`,
 *   all of it optional because tasks add to it. A task with a plain `TaskContext` says nothing, and leaves other keys
 *   open.
 * - Of a definition: what its `input` schema takes, or its type argument, all of it optional.
 * - Of a name: any object.
 */
export type WorkflowInput<R> =
  // The class first: a class has a `name` too, so it is a WorkflowDefinition to the compiler.
  R extends abstract new (...args: never[]) => infer T
    ? R extends { readonly input: infer S extends StandardSchemaV1 }
      ? InputOfSchema<S>
      : InputOfTasks<T>
    : R extends WorkflowDefinition<infer I, object>
      ? [keyof I] extends [never]
        ? JsonObject
        : I
      : JsonObject;

/**
 * The context that a workflow's completed executions have: that of a result of `execute` and `result`.
 *
 * - Of a class: what its `static input` schema gives, and what its tasks say that they see, `TaskContext<C>`, all of it
 *   together. Where a task has a plain `TaskContext`, there may be other keys.
 * - Of a definition: what its `input` schema gives, or its type argument, with what its tasks return.
 * - Of a name: any object.
 */
export type WorkflowContext<R> = R extends abstract new (...args: never[]) => infer T
  ? R extends { readonly input: infer S extends StandardSchemaV1 }
    ? Simplify<ContextOfSchema<S> & ContextOfTasks<T>>
    : ContextOfTasks<T>
  : R extends WorkflowDefinition<object, infer C>
    ? [keyof C] extends [never]
      ? JsonObject
      : Simplify<C>
    : JsonObject;

/**
 * The name of the workflow that a reference means; whether it exists is not asked.
 *
 * @throws InvalidArgumentError for a class without `@Workflow`, and for what is no reference at all
 */
export function workflowNameOf(ref: WorkflowRef): string {
  if (typeof ref === 'string') return ref;
  if (typeof ref === 'function') {
    const options = getWorkflowOptions(ref);
    if (options !== undefined) return options.name;
    throw new InvalidArgumentError(
      'workflow',
      `is the class ${ref.name}, which has no @Workflow({ name })`,
    );
  }
  if (typeof ref === 'object' && ref !== null && typeof ref.name === 'string') return ref.name;
  throw new InvalidArgumentError(
    'workflow',
    `must be a class with @Workflow, a name, or what defineWorkflow() built, not ${formatValue(ref)}`,
  );
}
