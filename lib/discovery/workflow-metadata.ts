import 'reflect-metadata';
import { splitMap } from './map-source.js';
import type { WrittenNode } from './node-source.js';
import type { TaskOptions, WorkflowOptions } from './options.js';
import type { WrittenEventStart } from './start-on.js';

// Registered symbols, so that one copy of the package recognizes a class that another copy decorated.
const WORKFLOW = Symbol.for('nestjs-cloacina:workflow');
const TASKS = Symbol.for('nestjs-cloacina:tasks');
const EVENT_STARTS = Symbol.for('nestjs-cloacina:event-starts');

/** A method with {@link Task} or {@link MapTask}, or a property that is a node, and its options, unchecked: checks run at boot. */
export interface TaskMetadata {
  /** The name of the method or property. */
  readonly method: string;
  readonly options: TaskOptions;
  /** Absent for a method with {@link Task}. */
  readonly node?: WrittenNode;
  /** Whether it is static. That is a mistake, because tasks are called on the instance that Nest made. */
  readonly isStatic: boolean;
}

/** Stores the options of a {@link Workflow} class. */
export function setWorkflowOptions(target: Function, options: WorkflowOptions): void {
  Reflect.defineMetadata(WORKFLOW, options, target);
}

/** The workflow options of a class, its own or inherited; undefined for a class without {@link Workflow}. */
export function getWorkflowOptions(target: Function): WorkflowOptions | undefined {
  const options: WorkflowOptions | undefined = Reflect.getMetadata(WORKFLOW, target);
  return options;
}

/** Stores a {@link Task} method. The target is the prototype of the class, or the class itself for a static method. */
export function addTask(target: object, method: string, options: TaskOptions): void {
  add(target, { method, options });
}

/** Stores a {@link MapTask} method: a task and a node in one. */
export function addMap(target: object, method: string, options: object): void {
  const [ofTask, node] = splitMap(options);
  add(target, { method, options: ofTask, node });
}

/** Stores a property that is a node. */
export function addNode(target: object, property: string, node: WrittenNode): void {
  const { name, dependsOn, when } = node.options as Pick<
    TaskOptions,
    'name' | 'dependsOn' | 'when'
  >;
  const options: TaskOptions = {
    ...(name === undefined ? {} : { name }),
    ...(dependsOn === undefined ? {} : { dependsOn }),
    ...(when === undefined ? {} : { when }),
  };
  add(target, { method: property, options, node });
}

function add(target: object, task: Omit<TaskMetadata, 'isStatic'>): void {
  const isStatic = typeof target === 'function';
  const owner = isStatic ? target : target.constructor;
  Reflect.defineMetadata(TASKS, [...ownTasks(owner), { ...task, isStatic }], owner);
}

function ownTasks(target: object): readonly TaskMetadata[] {
  const tasks: readonly TaskMetadata[] | undefined = Reflect.getOwnMetadata(TASKS, target);
  return tasks ?? [];
}

/**
 * The tasks of a class in the order of the source, those of its ancestors first. A method that overrides a task is the
 * same task and keeps its place. With its own `@Task`, it has the options of that decorator.
 */
export function getTasks(target: Function): TaskMetadata[] {
  const tasks = new Map<string, TaskMetadata>();
  for (const owner of lineage(target)) {
    for (const task of ownTasks(owner)) tasks.set(task.method, task);
  }
  return [...tasks.values()];
}

/** Stores an event that starts executions of a class. Decorators run from the last to the first. */
export function addEventStart(target: Function, start: WrittenEventStart): void {
  Reflect.defineMetadata(EVENT_STARTS, [start, ...ownEventStarts(target)], target);
}

function ownEventStarts(target: Function): readonly WrittenEventStart[] {
  const starts: readonly WrittenEventStart[] | undefined = Reflect.getOwnMetadata(
    EVENT_STARTS,
    target,
  );
  return starts ?? [];
}

/** The events that start executions of a class. A class with none of its own has those of its nearest ancestor. */
export function getEventStarts(target: Function): readonly WrittenEventStart[] {
  for (const owner of lineage(target).toReversed()) {
    const starts = ownEventStarts(owner);
    if (starts.length > 0) return starts;
  }
  return [];
}

/** The ancestors of a class, the root first, and the class itself. */
function lineage(target: Function): Function[] {
  const classes: Function[] = [];
  for (
    let at: unknown = target;
    typeof at === 'function' && at !== Function.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    classes.unshift(at);
  }
  return classes;
}
