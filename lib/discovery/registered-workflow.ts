import type { Type } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { CompiledWorkflow } from '../workflow/definition.js';
import type { TaskContext } from './task-context.js';
import type { WorkflowDefinition } from './workflow-builder.js';
import { workflowNameOf, type WorkflowRef } from './workflow-ref.js';

/** What the running code has for a task. */
export interface TaskHandler {
  /** Calls the handler; what it returns, throws or rejects with is passed on as it is. */
  readonly run: (context: TaskContext) => unknown;
  /** The running code's `retryIf`; absent: every error is worth another attempt. */
  readonly retryIf?: (error: unknown) => boolean;
}

/** What the workflow was defined by. */
export type WorkflowSourceRef = Type<unknown> | WorkflowDefinition;

/** A workflow of the running code: its definition, checked, and its handlers. */
export interface RegisteredWorkflow {
  readonly definition: CompiledWorkflow;
  /** By task name; every task of the definition has one. */
  readonly handlers: ReadonlyMap<string, TaskHandler>;
  /** The Standard Schema that the context given to `start` must meet. */
  readonly input?: StandardSchemaV1;
  readonly source: WorkflowSourceRef;
}

/**
 * The workflows of the running code, one for each name. Complete when every provider has been instantiated, before
 * any module's `onApplicationBootstrap`.
 */
export class WorkflowRegistry {
  private byName: ReadonlyMap<string, RegisteredWorkflow> = new Map();

  constructor(workflows: Iterable<RegisteredWorkflow> = []) {
    this.replaceAll(workflows);
  }

  /** The workflow of that name, if the running code has it. */
  get(name: string): RegisteredWorkflow | undefined {
    return this.byName.get(name);
  }

  /**
   * The workflow that a reference means, if the running code has it. A class finds the workflow of its name, also
   * when a subclass of it is what is provided.
   *
   * @throws InvalidArgumentError for a class without `@Workflow`, and for what is no reference at all
   */
  find(ref: WorkflowRef): RegisteredWorkflow | undefined {
    return this.byName.get(workflowNameOf(ref));
  }

  /** The name that a reference means, whether or not the running code has it. */
  nameOf(ref: WorkflowRef): string {
    return workflowNameOf(ref);
  }

  /** All workflows, in the order in which modules provide them. */
  list(): RegisteredWorkflow[] {
    return [...this.byName.values()];
  }

  /** @internal The explorer's: first with what is known before providers are instantiated, then with everything. */
  replaceAll(workflows: Iterable<RegisteredWorkflow>): void {
    this.byName = new Map([...workflows].map((workflow) => [workflow.definition.name, workflow]));
  }
}
