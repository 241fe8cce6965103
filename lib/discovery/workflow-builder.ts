import { brandOf, giveBrand, isOrdinaryInstance } from '../errors/brand.js';
import type { TaskOptions, WorkflowOptions } from './options.js';
import type { JsonObject, TaskHandlerOf } from './task-context.js';

/** These type the input and the context of a definition; there are no such properties at run time. */
declare const INPUT: unique symbol;
declare const CONTEXT: unique symbol;

/**
 * A workflow without a class, from {@link defineWorkflow}; `I` is the context that `start` takes, `C` the one that its
 * tasks see and that its results have.
 */
export interface WorkflowDefinition<I extends object = object, C extends object = I> {
  readonly name: string;
  readonly [INPUT]?: I;
  readonly [CONTEXT]?: C;
}

/**
 * Collects the tasks of a workflow. Immutable: `task` returns another builder.
 *
 * `Names` are the tasks so far, which `dependsOn` may name; `C` is the context that tasks see, `I` the one that
 * `start` takes.
 */
export interface WorkflowBuilder<
  Names extends string = string,
  C extends object = JsonObject,
  I extends object = C,
> {
  /**
   * Adds a task. The context's type is the workflow's unless the handler gives its own.
   *
   * @example
   * ```ts
   * .task('ship', { dependsOn: ['charge'] }, async (context) => ({ shipped: true }))
   * ```
   */
  task<const N extends string, const D extends readonly Names[], H extends object = C>(
    name: N,
    options: TaskOptions<D>,
    handler: TaskHandlerOf<H>,
  ): WorkflowBuilder<Names | N, C, I>;
  /** Adds a task with the default options and no dependencies. */
  task<const N extends string, H extends object = C>(
    name: N,
    handler: TaskHandlerOf<H>,
  ): WorkflowBuilder<Names | N, C, I>;
  /** The definition, to be registered as a value provider of any one module. Mistakes are reported at boot. */
  build(): WorkflowDefinition<I, { [K in keyof C]: C[K] }>;
}

/** A task of a {@link BuiltWorkflow}, as it was given: nothing is checked before boot. */
export interface BuiltTask {
  readonly name: string;
  readonly options: TaskOptions;
  readonly handler: unknown;
}

const BUILT_WORKFLOW = Symbol.for('nestjs-cloacina:BuiltWorkflow');

/** What `build()` gives, and what the explorer looks for among the values that modules provide. */
export class BuiltWorkflow<
  I extends object = object,
  C extends object = I,
> implements WorkflowDefinition<I, C> {
  declare readonly [INPUT]?: I;
  declare readonly [CONTEXT]?: C;

  static {
    giveBrand(this.prototype, BUILT_WORKFLOW);
  }

  /** Also one that another copy of this package has built. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return isOrdinaryInstance(this, value) || brandOf(value, BUILT_WORKFLOW) === true;
  }

  constructor(
    readonly options: WorkflowOptions,
    readonly tasks: readonly BuiltTask[],
  ) {
    Object.freeze(this);
  }

  get name(): string {
    return this.options.name;
  }
}
