import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { NoTasks } from './builder-types.js';
import { splitMap } from './map-source.js';
import type { NodeOptions } from './node-options.js';
import type { WrittenNode } from './node-source.js';
import type { WorkflowOptions } from './options.js';
import type { WrittenEventStart } from './start-on.js';
import type { ContextOfSchema, InputOfSchema } from './schema-types.js';
import type { JsonObject } from './context-types.js';
import {
  BuiltWorkflow,
  type BuiltTask,
  type WorkflowBuilder,
  type WorkflowDefinition,
} from './workflow-builder.js';

/** The options of {@link defineWorkflow}. */
export type DefineWorkflowOptions = Omit<WorkflowOptions, 'name'>;

/**
 * Begins a workflow whose handlers are plain functions, without a class. With an `input` schema, `start` takes the
 * input of the schema, and tasks see its output. Without a schema, a type argument types the context.
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
/**
 * Begins a workflow whose handlers are plain functions, without an `input` schema. The type argument types its context.
 *
 * @param name - unique in the application
 */
export function defineWorkflow<C extends object = JsonObject>(
  name: string,
  options?: DefineWorkflowOptions,
): WorkflowBuilder<C, Partial<C>, NoTasks, never>;
export function defineWorkflow(name: string, options: DefineWorkflowOptions = {}): WorkflowBuilder {
  return new ImmutableBuilder({ ...options, name }, []);
}

/** Implements the builder without types of its own: the overloads of `defineWorkflow` declare them. */
class ImmutableBuilder implements WorkflowBuilder {
  constructor(
    private readonly options: WorkflowOptions,
    private readonly tasks: readonly BuiltTask[],
    private readonly eventStarts: readonly WrittenEventStart[] = [],
  ) {}

  task(name: string, ...rest: [options: object, handler: unknown] | [handler: unknown]): never {
    const [options, handler] = rest.length === 2 ? rest : [{}, rest[0]];
    return this.with({ name, options: { ...options }, handler });
  }

  waitFor(name: string, options: object): never {
    return this.node(name, { kind: 'wait', options: { ...options } });
  }

  sleep(name: string, options: object): never {
    return this.node(name, { kind: 'sleep', options: { ...options } });
  }

  child(name: string, workflow: unknown, options: object = {}): never {
    return this.node(name, { kind: 'child', options: { ...options }, workflow });
  }

  startOn(event: unknown, options: object = {}): never {
    const starts = [...this.eventStarts, { event, options: { ...options } }];
    return new ImmutableBuilder(this.options, this.tasks, starts) as never;
  }

  map(name: string, options: object, handler: unknown): never {
    const [ofTask, node] = splitMap(options);
    const map = { name, options: ofTask, handler, node };
    return new ImmutableBuilder(this.options, [...this.tasks, map]) as never;
  }

  mapChildren(name: string, workflow: unknown, options: object): never {
    return this.node(name, { kind: 'map', options: { ...options }, workflow });
  }

  private node(name: string, node: WrittenNode): never {
    const { dependsOn, when } = node.options as NodeOptions;
    const options = {
      ...(dependsOn === undefined ? {} : { dependsOn }),
      ...(when === undefined ? {} : { when }),
    };
    return this.with({ name, options, node });
  }

  private with(task: BuiltTask): never {
    const tasks = [...this.tasks, task];
    return new ImmutableBuilder(this.options, tasks, this.eventStarts) as never;
  }

  build(): WorkflowDefinition {
    return new BuiltWorkflow(this.options, this.tasks, this.eventStarts);
  }
}
