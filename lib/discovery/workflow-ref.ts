import type { Type } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { ContextOfClass, InputOfTasks } from './class-types.js';
import type { JsonObject, Simplify } from './context-types.js';
import type { ContextOfSchema, InputOfSchema } from './schema-types.js';
import type { WorkflowDefinition } from './workflow-builder.js';
import { getWorkflowOptions } from './workflow-metadata.js';

/** Identifies a workflow: its class, its name, or its definition. */
export type WorkflowRef = Type<unknown> | string | WorkflowDefinition;

/**
 * The context that `start` takes for a workflow.
 *
 * - For a class: the input of its `static input` schema. Without a schema, the contexts `C` of all its tasks'
 *   `TaskContext<C>` together; every key is optional, because tasks add keys. A task with a plain `TaskContext` allows
 *   other keys.
 * - For a definition: the input of its `input` schema, or its type argument with every key optional.
 * - For a name: any object.
 */
export type WorkflowInput<R> =
  // The class comes first: it has a `name` too, so the compiler would accept it as a WorkflowDefinition.
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
 * The context of a workflow's completed executions, as `execute` and `result` return it.
 *
 * - For a class: the output of its `static input` schema and the contexts `C` of all its tasks' `TaskContext<C>`
 *   together. A task with a plain `TaskContext` allows other keys.
 * - For a definition: the output of its `input` schema, or its type argument, and the keys that its tasks return.
 * - For a name: any object.
 */
export type WorkflowContext<R> = R extends abstract new (...args: never[]) => infer T
  ? R extends { readonly input: infer S extends StandardSchemaV1 }
    ? Simplify<ContextOfSchema<S> & ContextOfClass<T>>
    : ContextOfClass<T>
  : R extends WorkflowDefinition<object, infer C>
    ? [keyof C] extends [never]
      ? JsonObject
      : Simplify<C>
    : JsonObject;

/**
 * The name of the workflow that a reference identifies. The workflow need not exist.
 *
 * @throws InvalidArgumentError for a class without `@Workflow`, and for a value that is not a reference
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
    `must be a class with @Workflow, a name, or a result of defineWorkflow(), not ${formatValue(ref)}`,
  );
}
