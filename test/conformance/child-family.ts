import { v7 as uuidv7 } from 'uuid';
import {
  FIRST_TOKEN,
  type ChildrenReply,
  type ChildStart,
  type ParentStep,
  type StepRow,
  type TaskKey,
} from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import {
  newClaimant,
  noLease,
  parallel,
  rescheduleOf,
  startOf,
  type TestWorkflow,
  type WorkflowOptions,
} from './workflows.js';

/** Executions whose tasks start others, by the port. Task 0 of each starts the children. */
export class Family {
  readonly worker;
  readonly of: TestWorkflow;

  constructor(
    readonly tested: TestedStore,
    options: WorkflowOptions = {},
  ) {
    this.worker = tested.worker();
    this.of = parallel(1, { definitionId: tested.newDefinition(), ...options });
  }

  /** Starts a parent whose task runs. */
  parent(): Promise<string> {
    return this.worker.startOne(this.of, { tags: '{"of":"parent"}', priority: 3 });
  }

  /** A child of the parent's task, with all its roots claimed. */
  child(
    parentId: string,
    step: string,
    more: Partial<Omit<ChildStart, 'parent' | 'item'>> & {
      readonly item?: Partial<Omit<ChildStart['item'], 'plan'>>;
      readonly parent?: Partial<ParentStep>;
      readonly of?: TestWorkflow;
    } = {},
  ): ChildStart {
    const { item, parent, of = this.of, ...rest } = more;
    return {
      item: startOf(of, item),
      parent: { ...keyOf(parentId), token: FIRST_TOKEN, step, waits: true, ...parent },
      onParentEnd: 'cancel',
      inheritsTags: true,
      inheritsPriority: true,
      ...rest,
    };
  }

  start(children: readonly ChildStart[]): Promise<ChildrenReply> {
    return this.tested.store.children.startChildren(children, noLease(newClaimant()));
  }

  /** Starts a child for a step that waits; returns its id. */
  async started(...given: Parameters<Family['child']>): Promise<string> {
    const child = this.child(...given);
    const { children } = await this.start([child]);
    if (children[0]?.fate !== 'started') throw new Error(`It is ${children[0]?.fate}.`);
    return child.item.id;
  }

  /** A parent with children, whose task sleeps until one of them, or the last of `joins`, has ended. */
  async asleep(count = 1, joins = 0): Promise<{ id: string; children: string[] }> {
    const id = await this.parent();
    const children: string[] = [];
    for (let n = 0; n < count; n++) children.push(await this.started(id, `child#${n}`));
    await this.sleep(id, joins);
    return { id, children };
  }

  async sleep(id: string, joins = 0): Promise<void> {
    await this.tested.store.reschedule([
      rescheduleOf('suspend', id, 0, { token: FIRST_TOKEN, delayMs: null, wakes: 0, joins }),
    ]);
  }

  async stepsOf(id: string): Promise<StepRow[]> {
    const steps = await this.tested.store.steps([keyOf(id)]);
    return steps.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async unsettledOf(id: string): Promise<number | undefined> {
    return (await this.tested.rowsOf(id)).execution?.unsettled;
  }
}

export function keyOf(executionId: string): TaskKey {
  return { executionId, taskNo: 0, itemNo: 0 };
}

export const newId = (): string => uuidv7();
