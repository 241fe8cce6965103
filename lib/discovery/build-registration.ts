import { formatValue } from '../errors/option-checks.js';
import { compileWorkflow } from '../workflow/compile.js';
import { parseDuration } from '../workflow/duration.js';
import { retentionRule } from '../workflow/retention.js';
import type { TaskSource } from '../workflow/definition.js';
import { checkTaskOptions, checkWorkflowOptions, isStandardSchema } from './definition-options.js';
import type { TaskOptions, WorkflowOptions } from './options.js';
import type { ProvidedClass, ProvidedDefinition } from './workflow-providers.js';
import { instanceOf } from './workflow-providers.js';
import { DECORATORS, describeNode, type NodeInput, type WrittenNode } from './node-source.js';
import type { RegisteredWorkflow, TaskHandler, WorkflowSourceRef } from './registered-workflow.js';
import { declareSchedules, schedulesOf, type ScheduleOptions } from './schedule.decorator.js';
import { taskNamesByMethod, withTaskNames } from './task-names.js';
import { describeEventStarts, type WrittenEventStart } from './start-on.js';
import { getEventStarts, getTasks } from './workflow-metadata.js';

/** A workflow that the explorer found. `registered` is absent if the workflow has a problem. */
export interface BuiltRegistration {
  readonly name: string;
  /** Where the workflow is defined, for messages: `class OrderFulfilment in OrdersModule`. */
  readonly place: string;
  readonly problems: readonly string[];
  readonly registered?: RegisteredWorkflow;
}

interface WrittenTask {
  readonly name: string;
  readonly options: TaskOptions;
  /** The task's `dependsOn` and `when`, with the names of tasks. */
  readonly named: Pick<TaskOptions, 'dependsOn' | 'when'>;
  /** The handler. A node has none. */
  readonly run?: unknown;
  readonly node?: WrittenNode | undefined;
}

/** Builds the registration of a workflow class. */
export function describeClass(
  provided: ProvidedClass,
  options: WorkflowOptions,
): BuiltRegistration {
  const metadata = getTasks(provided.type);
  const taskNames = taskNamesByMethod(metadata);
  const tasks = metadata.map(({ method, options: taskOptions, node }) => ({
    name: taskNames.get(method) ?? method,
    options: taskOptions,
    named: withTaskNames(taskOptions, taskNames),
    ...(node === undefined ? {} : { node }),
    ...(node === undefined || node.hasHandler === true
      ? { run: (context: unknown): unknown => callMethod(provided, method, context) }
      : {}),
  }));
  const place = `class ${provided.type.name} in ${provided.module}`;
  const mistakes = metadata
    .filter((task) => task.isStatic)
    .map(({ method, node }) =>
      node === undefined || node.hasHandler === true
        ? `${provided.type.name}.${method}() is static, and cannot be a task.`
        : `${provided.type.name}.${method} is static, and cannot have ${DECORATORS[node.kind]}.`,
    );
  const input: unknown = Reflect.get(provided.type, 'input');
  if (input !== undefined && options.input !== undefined) mistakes.push(twoSchemas(provided));
  const described = {
    ...options,
    ...(input === undefined ? {} : { input }),
    schedule: [...listOf(options.schedule), ...schedulesOf(provided.type)],
  } as WorkflowOptions;
  const starts = getEventStarts(provided.type);
  if (tasks.length > 0) return describe(place, described, tasks, provided.type, starts, mistakes);
  const problem = `${provided.type.name} (in ${provided.module}) has @Workflow, but no method with @Task or @MapTask, and no property with @WaitFor, @Sleep, @Child or @MapChildren.`;
  return { name: nameOf(options, place), place, problems: [problem] };
}

function twoSchemas({ type, module }: ProvidedClass): string {
  return (
    `${type.name} (in ${module}) has two input schemas: "static input" and the option "input" of @Workflow. ` +
    'Keep the static one, which also types start().'
  );
}

/** Builds the registration of a result of `defineWorkflow`. */
export function describeDefinition({ definition, module }: ProvidedDefinition): BuiltRegistration {
  const tasks = definition.tasks.map(({ name, options, handler, node }) => {
    return { name, options, named: options, run: handler, node };
  });
  const { options, eventStarts } = definition;
  return describe(`defineWorkflow() in ${module}`, options, tasks, definition, eventStarts);
}

function describe(
  place: string,
  options: WorkflowOptions,
  tasks: readonly WrittenTask[],
  source: WorkflowSourceRef,
  eventStarts: readonly WrittenEventStart[],
  mistakes: readonly string[] = [],
): BuiltRegistration {
  const name = nameOf(options, place);
  const owner = `Workflow ${JSON.stringify(name)}`;
  const nodes = new Map(
    tasks.flatMap(({ name: task, node }) =>
      node === undefined ? [] : [[task, describeNode(ownerOf(owner, task), node)] as const],
    ),
  );
  const startedBy = describeEventStarts(owner, eventStarts);
  const problems = [
    ...mistakes,
    ...startedBy.problems,
    ...(name === options.name ? [] : [`${owner} needs a name: a string that is not empty.`]),
    ...checkWorkflowOptions(owner, options),
    ...tasks.flatMap(({ name: task, options: taskOptions, node }) => [
      ...(nodes.get(task)?.problems ?? []),
      ...(hasHandler(node) ? checkTaskOptions(ownerOf(owner, task), taskOptions) : []),
    ]),
  ];
  const handlers = new Map<string, TaskHandler>();
  const inputs = new Map<string, NodeInput>();
  for (const task of tasks) {
    if (task.node !== undefined) {
      const nodeInput = nodes.get(task.name)?.input;
      if (nodeInput !== undefined) inputs.set(task.name, nodeInput);
      if (!hasHandler(task.node)) continue;
    }
    const handler = toHandler(task);
    if (handler !== undefined) handlers.set(task.name, handler);
    else
      problems.push(
        `${ownerOf(owner, task.name)}: the handler must be a function, not ${formatValue(task.run)}.`,
      );
  }
  const { input, schedule, maxPending, priorityAging, retention, ...written } = options;
  const declared = declareSchedules(owner, name, listOf(schedule));
  problems.push(...declared.problems);
  if (options.admission !== undefined) problems.push(...refusedTurns(owner, listOf(schedule)));
  const compiled = compileWorkflow({
    ...written,
    name,
    startsOn: [...startedBy.starts.keys()],
    tasks: tasks.map((task) => ({ ...toSource(task), node: nodes.get(task.name)?.source })),
  });
  if (!compiled.ok || problems.length > 0) {
    return { name, place, problems: [...problems, ...(compiled.ok ? [] : compiled.problems)] };
  }
  const schema = isStandardSchema(input) ? { input } : {};
  return {
    name,
    place,
    problems,
    registered: {
      definition: compiled.workflow,
      handlers,
      ...(inputs.size === 0 ? {} : { inputs }),
      ...(startedBy.starts.size === 0 ? {} : { eventStarts: startedBy.starts }),
      ...schema,
      ...queueOf({ maxPending, priorityAging }),
      ...(retention === undefined ? {} : { retention: retentionRule(retention) }),
      ...(declared.schedules.length === 0 ? {} : { schedules: declared.schedules }),
      source,
    },
  };
}

/** An execution has one slot: that of its workflow's admission, or that of its schedule's turn. */
function refusedTurns(owner: string, schedules: readonly ScheduleOptions[]): string[] {
  return schedules
    .filter(({ overlap }) => overlap === 'queue' || overlap === 'cancelPrevious')
    .map(
      ({ overlap }) =>
        `${owner} has an admission, so overlap of its schedule cannot be '${overlap}'; use 'allow', and the admission's whenFull.`,
    );
}

/** What a process needs of the options that are not stored: checked before. */
function queueOf({
  maxPending,
  priorityAging,
}: Pick<WorkflowOptions, 'maxPending' | 'priorityAging'>): Pick<RegisteredWorkflow, 'queue'> {
  if (maxPending === undefined && priorityAging === undefined) return {};
  const priorityAgingMs = parseDuration(priorityAging);
  return {
    queue: {
      ...(maxPending === undefined ? {} : { maxPending }),
      ...(priorityAgingMs === undefined ? {} : { priorityAgingMs }),
    },
  };
}

function listOf(
  schedule: ScheduleOptions | readonly ScheduleOptions[] | undefined,
): readonly ScheduleOptions[] {
  return schedule === undefined ? [] : [schedule].flat();
}

function hasHandler(node: WrittenNode | undefined): boolean {
  return node === undefined || node.hasHandler === true;
}

function ownerOf(workflow: string, task: unknown): string {
  return `${workflow}, task ${quote(task)}`;
}

/** A task's name for a message. In plain JavaScript it may be of any type. */
function quote(name: unknown): string {
  return typeof name === 'string' ? JSON.stringify(name) : formatValue(name);
}

/** The workflow's name, or its place if the name is not usable, so that the rest can still be checked. */
function nameOf(options: WorkflowOptions, place: string): string {
  return typeof options.name === 'string' && options.name !== '' ? options.name : place;
}

function toSource({ name, options, named }: WrittenTask): TaskSource {
  const { retry, timeout, transactional, priority, limit, fairKey } = options;
  return { name, retry, timeout, transactional, priority, limit, fairKey, ...named };
}

function toHandler({ run, options }: WrittenTask): TaskHandler | undefined {
  if (typeof run !== 'function') return undefined;
  const retryIf = options.retry?.retryIf;
  return {
    run: (context): unknown => Reflect.apply(run, undefined, [context]),
    ...(typeof retryIf === 'function' ? { retryIf: (error: unknown) => retryIf(error) } : {}),
  };
}

function callMethod(provided: ProvidedClass, method: string, context: unknown): unknown {
  const provider = provided.provider();
  const instance = provider === undefined ? undefined : instanceOf(provider);
  const handler: unknown = instance === undefined ? undefined : Reflect.get(instance, method);
  if (instance === undefined || typeof handler !== 'function') {
    throw new TypeError(
      `${provided.type.name} in ${provided.module} has no method ${method}() to call.`,
    );
  }
  return Reflect.apply(handler, instance, [context]);
}
