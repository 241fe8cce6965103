import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import { NotAllowedError } from '../../errors/index.js';
import {
  MAX_DEPTH,
  type StepRecord,
  type StepReply,
  type StepRow,
} from '../../store/port/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { DurableWait } from '../waits/durable-wait.js';
import type { StepName } from '../waits/step-name.js';
import type { TaskSteps } from '../waits/task-steps.js';
import type { ChildRequest, ChildStarted } from './child-starter.js';
import type { Children } from './children.js';
import type { CheckedChild } from './child-arguments.js';

/** Builds the request for a child of a task's step. */
export async function childRequest(
  children: Children,
  claim: TaskClaim,
  child: CheckedChild,
  waits: boolean,
): Promise<ChildRequest> {
  const { executionId, taskNo, itemNo, token } = claim;
  const { name, onParentEnd, options } = child;
  const request = await children.prepare(child.workflow, child.input, options);
  return {
    request,
    parent: { executionId, taskNo, itemNo, token, step: name.stored, waits },
    onParentEnd,
    inheritsTags: options.tags === undefined,
    inheritsPriority: options.priority === undefined,
  };
}

/** @throws NotAllowedError for a child below the deepest level */
export function assertNotTooDeep({ fate }: ChildStarted, workflow: WorkflowRef): void {
  if (fate !== 'tooDeep') return;
  const name = typeof workflow === 'string' ? workflow : workflow.name;
  throw new NotAllowedError(
    `Starting ${JSON.stringify(name)} as a child at depth ${MAX_DEPTH + 1}`,
    `an execution has at most ${MAX_DEPTH} executions above it, so that a recursion without an end is found`,
    'Check the condition that ends the recursion, or start it with context.runner.start().',
  );
}

/** The wait of a task for a child that it starts. */
export class ChildWait<T> implements DurableWait<T> {
  readonly kind = 'child';
  readonly due = null;
  readonly whenDue = 'Done';
  readonly listensFor = null;
  readonly name: StepName;
  /** The child that this run has attached the step to. It may have ended before. */
  private attachedTo: string | undefined;

  constructor(
    private readonly steps: TaskSteps,
    private readonly children: Children,
    private readonly child: CheckedChild,
    readonly joins: boolean,
    readonly valueOf: (row: StepRow) => Promise<T>,
  ) {
    this.name = child.name;
  }

  async open(_: StepRecord): Promise<StepReply | undefined> {
    const { children, child, steps } = this;
    const started = await children.start(await childRequest(children, steps.claim, child, true));
    assertNotTooDeep(started, child.workflow);
    if (started.fate === 'refused') return undefined;
    if (started.isAttached) this.attachedTo = started.id;
    return { dueInMs: null };
  }

  /** A child that this run has started tells its end by itself, so only others are looked at. */
  async look(found: StepRow | undefined): Promise<StepRow | undefined> {
    const { attachedTo = null } = this;
    if (found === undefined && attachedTo === null) return undefined;
    const step = found ?? { childId: attachedTo, result: null };
    return this.children.look(this.steps.claim, this.name, step);
  }
}
