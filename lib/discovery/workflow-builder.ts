import { brandOf, giveBrand, isOrdinaryInstance } from '../errors/brand.js';
import type { Observable } from 'rxjs';
import type { TimeoutOutcome } from '../workflow/node.js';
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
import type { ChildResult, MapResult, NodeResult, Unnamed } from './builder-results.js';
import type { ItemContext, ItemOf, MapChildrenOptions, MapOptions } from './map-options.js';
import type {
  AnyMessage,
  ChildNodeOptions,
  MessagePayload,
  OutputOf,
  SleepOptions,
  WaitForOptions,
} from './node-options.js';
import type { EventDefinition } from './message-definitions.js';
import type { WrittenNode } from './node-source.js';
import type { TaskOptions, WorkflowOptions } from './options.js';
import type { StartOnOptions, WrittenEventStart } from './start-on.js';
import type { TaskContext } from './task-context.js';
import type { WorkflowContext, WorkflowInput, WorkflowRef } from './workflow-ref.js';

/** Keys of properties that exist for the compiler only. They carry the types of a definition's input and context. */
declare const INPUT: unique symbol;
declare const CONTEXT: unique symbol;

/**
 * A workflow that {@link defineWorkflow} made. `I` is the context that `start` takes. `C` is the context that its tasks
 * see and that its results have.
 */
export interface WorkflowDefinition<I extends object = object, C extends object = I> {
  /** The workflow's name. */
  readonly name: string;
  readonly [INPUT]?: I;
  readonly [CONTEXT]?: C;
}

/**
 * Collects the tasks of a workflow. A builder is immutable: `task` returns another builder.
 *
 * `C` is the declared context, and `I` the input of `start`. `T` are the tasks so far, which `dependsOn` may name.
 * `Doubtful` are the tasks that may not have completed in a completed execution.
 */
export interface WorkflowBuilder<
  C extends object = Unknown,
  I extends object = Unknown,
  T extends TasksByName = Unknown,
  Doubtful extends string = Unknown,
> {
  /**
   * Adds a task, and returns a builder that has it. The task's context has the keys of the workflow's context, and
   * those that its dependencies and their dependencies return. A key is optional if a rule lets the task run without
   * it. A handler that declares the type of its parameter sees that type instead.
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
  /**
   * Adds a node that waits for a signal or an event, without a handler. It occupies nothing while it waits. The payload
   * becomes the context key of the node's name; with `onTimeout: 'complete'` it may be missing.
   *
   * @example
   * ```ts
   * .waitFor('approval', { signal: Approval, dependsOn: ['price'], timeout: '14d' })
   * .waitFor('payment', { event: InvoicePaid, key: 'invoiceId', dependsOn: ['approval'] })
   * ```
   */
  waitFor<
    const N extends string,
    M extends AnyMessage,
    const D extends readonly (keyof T & string)[] = [],
    const W extends TriggerRule<NoInfer<D>[number], RuleKeyOf<C, T, NoInfer<D>[number]>> = never,
    const O extends TimeoutOutcome = 'fail',
  >(
    name: N,
    options: Unnamed<WaitForOptions<D, W, M, RuleKeyOf<C, T, NoInfer<D>[number]>, O>>,
  ): WorkflowBuilder<
    C,
    I,
    WithTask<C, T, N, D[number], W, NodeResult<N, MessagePayload<M>, O>>,
    Doubtful | DoubtfulBy<N, W> | ('skip' extends O ? N : never)
  >;
  /**
   * Adds a node that sleeps, without a handler. It occupies nothing while it sleeps.
   *
   * @example
   * ```ts
   * .sleep('coolDown', { for: '3d', dependsOn: ['remind'] })
   * .sleep('due', { until: 'dueDate', dependsOn: ['invoice'] })
   * ```
   */
  sleep<
    const N extends string,
    const D extends readonly (keyof T & string)[] = [],
    const W extends TriggerRule<NoInfer<D>[number], RuleKeyOf<C, T, NoInfer<D>[number]>> = never,
  >(
    name: N,
    options: Unnamed<SleepOptions<D, W, RuleKeyOf<C, T, NoInfer<D>[number]>>>,
  ): WorkflowBuilder<C, I, WithTask<C, T, N, D[number], W, void>, Doubtful | DoubtfulBy<N, W>>;
  /**
   * Adds a node that starts an execution as a child and waits for its end, without a handler. The child's context, or the
   * key `output` of it, becomes the context key of the node's name.
   *
   * @example
   * ```ts
   * .child('pdf', RenderPdf, { dependsOn: ['price'], input: (context) => ({ id: context.require('id') }), output: 'pdf' })
   * ```
   */
  child<
    const N extends string,
    R extends WorkflowRef,
    const D extends readonly (keyof T & string)[] = [],
    const W extends TriggerRule<NoInfer<D>[number], RuleKeyOf<C, T, NoInfer<D>[number]>> = never,
    const K extends OutputOf<R> = never,
  >(
    name: N,
    workflow: R,
    options?: Omit<
      ChildNodeOptions<
        D,
        W,
        TaskContext<SeenBy<C, T, NoInfer<D>[number], NoInfer<W>>>,
        WorkflowInput<R>,
        K
      >,
      'name'
    >,
  ): WorkflowBuilder<
    C,
    I,
    WithTask<C, T, N, D[number], W, ChildResult<N, WorkflowContext<R>, K>>,
    Doubtful | DoubtfulBy<N, W>
  >;
  /**
   * Starts an execution for each event of a name, as {@link StartOn} does for a class. Without `input`, the payload is the
   * input.
   *
   * @example
   * ```ts
   * .startOn(InvoicePaid, { input: (payment, event) => ({ invoiceId: event.key, amount: payment.amount }) })
   * ```
   */
  startOn<P, S>(
    event: EventDefinition<P, S>,
    ...options: P extends I
      ? [options?: StartOnOptions<P, I>]
      : [options: StartOnOptions<P, I> & { input: object }]
  ): WorkflowBuilder<C, I, T, Doubtful>;
  /**
   * Adds a task that runs once for each item; see {@link MapTask}. Its name becomes a context key with a {@link MapSummary},
   * or with `collect` an array of the values.
   *
   * @example
   * ```ts
   * .map('notify', { dependsOn: ['load'], items: (context) => context.require('customers'), concurrency: 20 }, (context) =>
   *   mail.send(context.item, context.idempotencyKey),
   * )
   * ```
   */
  map<
    const N extends string,
    X,
    V,
    const D extends readonly (keyof T & string)[] = [],
    const W extends TriggerRule<NoInfer<D>[number], RuleKeyOf<C, T, NoInfer<D>[number]>> = never,
    K extends number | undefined = undefined,
    const L extends boolean = false,
  >(
    name: N,
    options: Unnamed<MapOptions<D, W, SeenBy<C, T, NoInfer<D>[number], NoInfer<W>>, X, K>> & {
      collect?: L;
    },
    handler: (
      context: ItemContext<ItemOf<X, K>, SeenBy<C, T, NoInfer<D>[number], NoInfer<W>>>,
    ) => V | Promise<V> | Observable<V>,
  ): WorkflowBuilder<
    C,
    I,
    WithTask<C, T, N, D[number], W, MapResult<N, V, L>>,
    Doubtful | DoubtfulBy<N, W>
  >;
  /**
   * Adds a map that starts an execution as a child for each item, without a handler; see {@link MapChildren}.
   *
   * @example
   * ```ts
   * .mapChildren('invoices', SendInvoice, { items: (context) => context.require('invoices'), onItemFailure: 'continue' })
   * ```
   */
  mapChildren<
    const N extends string,
    R extends WorkflowRef,
    const D extends readonly (keyof T & string)[] = [],
    const W extends TriggerRule<NoInfer<D>[number], RuleKeyOf<C, T, NoInfer<D>[number]>> = never,
    const K extends OutputOf<R> = never,
    const L extends boolean = false,
  >(
    name: N,
    workflow: R,
    options: Unnamed<
      MapChildrenOptions<D, W, SeenBy<C, T, NoInfer<D>[number], NoInfer<W>>, WorkflowInput<R>, K>
    > & { collect?: L },
  ): WorkflowBuilder<
    C,
    I,
    WithTask<C, T, N, D[number], W, MapResult<N, ChildResult<N, WorkflowContext<R>, K>[N], L>>,
    Doubtful | DoubtfulBy<N, W>
  >;
  /**
   * Returns the definition. List it in the `providers` of one module, as a value or as the result of a factory. Its
   * mistakes are reported at boot.
   */
  build(): WorkflowDefinition<I, CompletedContext<C, T, Doubtful>>;
}

/**
 * The handler of a task in a builder. The compiler infers `V` from the handler's result. The last member of the union
 * lets it infer a type for `new Promise((resolve) => …)`.
 */
export type BuiltHandler<C, H extends object, V> = (
  context: TaskContext<H>,
) => V | Promise<V> | Observable<V> | Promise<ResultOfTask<C>>;

/** A task of a {@link BuiltWorkflow}, unchecked: checks run at boot. */
export interface BuiltTask {
  readonly name: string;
  readonly options: TaskOptions;
  /** A node has none. */
  readonly handler?: unknown;
  readonly node?: WrittenNode;
}

const BUILT_WORKFLOW = Symbol.for('nestjs-cloacina:BuiltWorkflow');

/** The result of `build()`. The explorer looks for it among the values that modules provide. */
export class BuiltWorkflow<
  I extends object = object,
  C extends object = I,
> implements WorkflowDefinition<I, C> {
  declare readonly [INPUT]?: I;
  declare readonly [CONTEXT]?: C;

  static {
    giveBrand(this.prototype, BUILT_WORKFLOW);
  }

  /** True also for a workflow that another copy of this package has built. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return isOrdinaryInstance(this, value) || brandOf(value, BUILT_WORKFLOW) === true;
  }

  constructor(
    readonly options: WorkflowOptions,
    readonly tasks: readonly BuiltTask[],
    readonly eventStarts: readonly WrittenEventStart[] = [],
  ) {
    Object.freeze(this);
  }

  get name(): string {
    return this.options.name;
  }
}
