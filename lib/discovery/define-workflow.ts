import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { TaskOptions, WorkflowOptions } from './options.js';
import type { JsonObject, TaskHandlerOf } from './task-context.js';
import {
  BuiltWorkflow,
  type BuiltTask,
  type WorkflowBuilder,
  type WorkflowDefinition,
} from './workflow-builder.js';

/** What {@link defineWorkflow} takes beside the name. */
export type DefineWorkflowOptions = Omit<WorkflowOptions, 'name'>;

/** What a schema takes or gives, where that is an object. */
export type ContextOfSchema<T> = T extends object ? T : JsonObject;

/**
 * Begins a workflow without a class, for handlers that are plain functions. With an `input` schema, `start` takes
 * what the schema takes and tasks see what it gives; a type argument types the whole context instead.
 *
 * @param name - unique in the application
 * @example
 * ```ts
 * export const nightlyReport = defineWorkflow('nightly-report', { input: z.object({ day: z.string() }) })
 *   .task('collect', async (context) => ({ rows: await collect(context.get('day')) }))
 *   .task('send', { dependsOn: ['collect'], retry: { maxAttempts: 5 } }, async (context) => { … })
 *   .build();
 *
 * @Module({ providers: [{ provide: 'NightlyReport', useValue: nightlyReport }] })
 * export class ReportModule {}
 * ```
 */
export function defineWorkflow<S extends StandardSchemaV1>(
  name: string,
  options: Omit<DefineWorkflowOptions, 'input'> & { input: S },
): WorkflowBuilder<
  never,
  ContextOfSchema<StandardSchemaV1.InferOutput<S>>,
  ContextOfSchema<StandardSchemaV1.InferInput<S>>
>;
export function defineWorkflow<C extends object = JsonObject>(
  name: string,
  options?: DefineWorkflowOptions,
): WorkflowBuilder<never, C, Partial<C>>;
export function defineWorkflow(
  name: string,
  options: DefineWorkflowOptions = {},
): WorkflowBuilder<never, JsonObject, JsonObject> {
  return new ImmutableBuilder<never, JsonObject, JsonObject>({ ...options, name }, []);
}

class ImmutableBuilder<
  Names extends string,
  C extends object,
  I extends object,
> implements WorkflowBuilder<Names, C, I> {
  constructor(
    private readonly options: WorkflowOptions,
    private readonly tasks: readonly BuiltTask[],
  ) {}

  task<const N extends string, H extends object = C>(
    name: N,
    ...rest: [options: TaskOptions, handler: TaskHandlerOf<H>] | [handler: TaskHandlerOf<H>]
  ): WorkflowBuilder<Names | N, C, I> {
    const [options, handler] = rest.length === 2 ? rest : [{}, rest[0]];
    return new ImmutableBuilder<Names | N, C, I>(this.options, [
      ...this.tasks,
      { name, options: { ...options }, handler },
    ]);
  }

  build(): WorkflowDefinition<I, C> {
    return new BuiltWorkflow<I, C>(this.options, this.tasks);
  }
}
