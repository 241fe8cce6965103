import type { Type } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { CompiledWorkflow } from '../workflow/definition.js';
import type { RetentionRule } from '../workflow/retention.js';
import type { DeclaredSchedule } from './schedule.decorator.js';
import type { NodeInput } from './node-source.js';
import type { EventStart } from './start-on.js';
import type { TaskContext } from './task-context.js';
import type { WorkflowDefinition } from './workflow-builder.js';
import { workflowNameOf, type WorkflowRef } from './workflow-ref.js';

/** The functions of the running code for a task. */
export interface TaskHandler {
  /** Calls the handler, and passes its result or error on unchanged. */
  readonly run: (context: TaskContext) => unknown;
  /** The task's `retryIf`. Absent: every error is worth another attempt. */
  readonly retryIf?: (error: unknown) => boolean;
  /** Of a map: makes its items. `run` is the handler of an item. */
  readonly items?: NodeInput;
}

/** The options of a workflow about executions and tasks that wait. They are not part of its definition. */
export interface QueueOptions {
  readonly maxPending?: number;
  readonly priorityAgingMs?: number;
}

/** The class or the definition that a workflow was made from. */
export type WorkflowSourceRef = Type<unknown> | WorkflowDefinition;

/** A workflow of the running code: its checked definition, and its handlers. */
export interface RegisteredWorkflow {
  readonly definition: CompiledWorkflow;
  /** The handlers by task name. Every task of the definition has one, except nodes. */
  readonly handlers: ReadonlyMap<string, TaskHandler>;
  /** The functions that make the inputs of children and the items of maps, by the names of their nodes. Absent: none. */
  readonly inputs?: ReadonlyMap<string, NodeInput>;
  /** The events that start executions, by name. Absent: none. */
  readonly eventStarts?: ReadonlyMap<string, EventStart>;
  /** The Standard Schema that validates the input of `start`. */
  readonly input?: StandardSchemaV1;
  /** How its executions wait for their begin. Absent: without options. */
  readonly queue?: QueueOptions;
  /** How long its ended executions are kept. Absent: as the tenant says. */
  readonly retention?: RetentionRule;
  /** The schedules that the code declares for it. Absent: none. */
  readonly schedules?: readonly DeclaredSchedule[];
  /** The name of the workflow that it starts, if it is the workflow of a poller. Absent: it is one of the application. */
  readonly polledFor?: string;
  readonly source: WorkflowSourceRef;
}

/**
 * The workflows of the running code by name. It is complete when all providers are instantiated, before any module's
 * `onApplicationBootstrap`.
 */
export class WorkflowRegistry {
  private byName: ReadonlyMap<string, RegisteredWorkflow> = new Map();

  constructor(workflows: Iterable<RegisteredWorkflow> = []) {
    this.replaceAll(workflows);
  }

  /** The workflow with this name, if the running code has it. */
  get(name: string): RegisteredWorkflow | undefined {
    return this.byName.get(name);
  }

  /**
   * The workflow that a reference identifies, if the running code has it. A class finds the workflow of its name, also
   * if a module provides a subclass instead.
   *
   * @throws InvalidArgumentError for a class without `@Workflow`, and for a value that is not a reference
   */
  find(ref: WorkflowRef): RegisteredWorkflow | undefined {
    return this.byName.get(workflowNameOf(ref));
  }

  /** The name of the workflow that a reference identifies, even if the running code lacks it. */
  nameOf(ref: WorkflowRef): string {
    return workflowNameOf(ref);
  }

  /** All workflows, in the order in which modules provide them, and those of pollers. */
  list(): RegisteredWorkflow[] {
    return [...this.byName.values()];
  }

  /** The workflows of the application, without those of pollers. */
  ofApplication(): RegisteredWorkflow[] {
    return this.list().filter(({ polledFor }) => polledFor === undefined);
  }

  /** @internal Called by the explorer: with the workflows known before providers are instantiated, then with all. */
  replaceAll(workflows: Iterable<RegisteredWorkflow>): void {
    this.byName = new Map([...workflows].map((workflow) => [workflow.definition.name, workflow]));
  }
}
