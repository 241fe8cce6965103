import { brandOf, giveBrand, isOrdinaryInstance } from '../errors/brand.js';
import type { Observable } from 'rxjs';
import type { TriggerRule } from '../workflow/trigger-rule.js';
import type {
  CompletedContext,
  DoubtfulBy,
  ResultOfTask,
  RuleKeyOf,
  SeenBy,
  TasksByName,
  Unknown,
  WithTask,
} from './builder-types.js';
import type { TaskOptions, WorkflowOptions } from './options.js';
import type { TaskContext } from './task-context.js';

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
 * `C` is the declared context, `I` what `start` takes; `T` are the tasks so far, which `dependsOn` may name, and
 * `Doubtful` those that an execution may complete without.
 */
export interface WorkflowBuilder<
  C extends object = Unknown,
  I extends object = Unknown,
  T extends TasksByName = Unknown,
  Doubtful extends string = Unknown,
> {
  /**
   * Adds a task. Its context is the workflow's, with what the tasks in `dependsOn` and those before them return, unless
   * the handler gives a type of its own. What a rule lets the task run without is optional.
   *
   * @example
   * ```ts
   * .task('charge', async (context) => ({ paymentId: await charge(context.require('orderId')) }))
   * .task('ship', { dependsOn: ['charge'] }, async (context) => ({ parcel: await ship(context.get('paymentId')) }))
   * ```
   */
  task<
    const N extends string,
    const D extends readonly (keyof T & string)[] = [],
    const W extends TriggerRule<NoInfer<D>[number], RuleKeyOf<C, T, NoInfer<D>[number]>> = never,
    H extends object = SeenBy<C, T, D[number], W>,
    V extends ResultOfTask<C> = ResultOfTask<C>,
  >(
    name: N,
    options: TaskOptions<D, W>,
    handler: BuiltHandler<C, H, V>,
  ): WorkflowBuilder<C, I, WithTask<C, T, N, D[number], W, V>, Doubtful | DoubtfulBy<N, W>>;
  /** Adds a task with the default options and no dependencies. */
  task<
    const N extends string,
    H extends object = SeenBy<C, T, never, never>,
    V extends ResultOfTask<C> = ResultOfTask<C>,
  >(
    name: N,
    handler: BuiltHandler<C, H, V>,
  ): WorkflowBuilder<C, I, WithTask<C, T, N, never, never, V>, Doubtful>;
  /** The definition, to be registered as a value provider of any one module. Mistakes are reported at boot. */
  build(): WorkflowDefinition<I, CompletedContext<C, T, Doubtful>>;
}

/**
 * A handler of a task that is added to a builder: `V` is inferred from what it returns. The last member gives a type to
 * the promise of `new Promise((resolve) => …)`.
 */
export type BuiltHandler<C, H extends object, V> = (
  context: TaskContext<H>,
) => V | Promise<V> | Observable<V> | Promise<ResultOfTask<C>>;

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
