import 'reflect-metadata';
import type { TaskOptions, WorkflowOptions } from './options.js';

// Registered symbols: a class decorated by one copy of the package is a workflow to another one.
const WORKFLOW = Symbol.for('nestjs-cloacina:workflow');
const TASKS = Symbol.for('nestjs-cloacina:tasks');

/** A method with {@link Task}, with the options as they were given: nothing is checked before boot. */
export interface TaskMetadata {
  /** The method's name. */
  readonly method: string;
  readonly options: TaskOptions;
  /** A static method, which is a mistake: tasks are called on the instance that Nest made. */
  readonly isStatic: boolean;
}

/** Keeps the options of a {@link Workflow} class. */
export function setWorkflowOptions(target: Function, options: WorkflowOptions): void {
  Reflect.defineMetadata(WORKFLOW, options, target);
}

/** The class's workflow options, its own or inherited; undefined for a class that is no workflow. */
export function getWorkflowOptions(target: Function): WorkflowOptions | undefined {
  const options: WorkflowOptions | undefined = Reflect.getMetadata(WORKFLOW, target);
  return options;
}

/** Adds a {@link Task} method; the target is the class's prototype, or for a static method the class. */
export function addTask(target: object, method: string, options: TaskOptions): void {
  const isStatic = typeof target === 'function';
  const owner = isStatic ? target : target.constructor;
  Reflect.defineMetadata(TASKS, [...ownTasks(owner), { method, options, isStatic }], owner);
}

function ownTasks(target: object): readonly TaskMetadata[] {
  const tasks: readonly TaskMetadata[] | undefined = Reflect.getOwnMetadata(TASKS, target);
  return tasks ?? [];
}

/**
 * The class's tasks: those of its ancestors first, from the root, then its own, each in the order of the source. A
 * method that overrides a task is that task; with a `@Task` of its own it has those options, in the ancestor's place.
 */
export function getTasks(target: Function): TaskMetadata[] {
  const tasks = new Map<string, TaskMetadata>();
  for (const owner of lineage(target)) {
    for (const task of ownTasks(owner)) tasks.set(task.method, task);
  }
  return [...tasks.values()];
}

/** The class and its ancestors, from the root. */
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
