import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { NoTasks } from './builder-types.js';
import type { WorkflowOptions } from './options.js';
import type { ContextOfSchema, InputOfSchema } from './schema-types.js';
import type { JsonObject } from './task-context.js';
import {
  BuiltWorkflow,
  type BuiltTask,
  type WorkflowBuilder,
  type WorkflowDefinition,
} from './workflow-builder.js';

/** What {@link defineWorkflow} takes beside the name. */
export type DefineWorkflowOptions = Omit<WorkflowOptions, 'name'>;

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
): WorkflowBuilder<ContextOfSchema<S>, InputOfSchema<S>, NoTasks, never>;
export function defineWorkflow<C extends object = JsonObject>(
  name: string,
  options?: DefineWorkflowOptions,
): WorkflowBuilder<C, Partial<C>, NoTasks, never>;
export function defineWorkflow(name: string, options: DefineWorkflowOptions = {}): WorkflowBuilder {
  return new ImmutableBuilder({ ...options, name }, []);
}

/** Its types are those of a builder of which nothing is known: the overloads above say what is. */
class ImmutableBuilder implements WorkflowBuilder {
  constructor(
    private readonly options: WorkflowOptions,
    private readonly tasks: readonly BuiltTask[],
  ) {}

  task(name: string, ...rest: [options: object, handler: unknown] | [handler: unknown]): never {
    const [options, handler] = rest.length === 2 ? rest : [{}, rest[0]];
    const builder = new ImmutableBuilder(this.options, [
      ...this.tasks,
      { name, options: { ...options }, handler },
    ]);
    return builder as never;
  }

  build(): WorkflowDefinition {
    return new BuiltWorkflow(this.options, this.tasks);
  }
}
