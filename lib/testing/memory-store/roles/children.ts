import { MemoryRole } from './memory-role.js';
import {
  END_CHILDREN,
  type ChildAttachment,
  type ChildEnd,
  type ChildrenPage,
  type ChildrenReply,
  type ChildStart,
  type ChildStore,
  type ClaimKey,
  type LeaseWrite,
  type TreeRow,
  type UnsettledEnd,
  type UserTransaction,
  type WakeClaims,
  type WokenTask,
} from '../../../store/port/index.js';
import * as childStarts from '../memory-child-starts.js';
import * as children from '../memory-children.js';
import { isTakenIn, reserve } from '../memory-starts.js';
import type { MemoryExecution } from '../memory-rows.js';
import { asTransaction } from '../memory-transaction.js';

/** Executions that tasks of other executions start, in memory. */
export class MemoryChildStore extends MemoryRole implements ChildStore {
  startChildren(items: readonly ChildStart[], lease: LeaseWrite): Promise<ChildrenReply> {
    return this.run((tables) => childStarts.startChildren(tables, items, lease, 'plain'));
  }

  startKeyedChild(child: ChildStart, lease: LeaseWrite): Promise<ChildrenReply> {
    return this.run((tables) => childStarts.startChildren(tables, [child], lease, 'keyed'));
  }

  /** The rows are written at the commit, as those of a start in a transaction. */
  startChildIn(
    manager: UserTransaction,
    child: ChildStart,
    lease: LeaseWrite,
    payload: string,
  ): Promise<ChildrenReply> {
    const transaction = asTransaction(manager);
    return this.run((tables) => {
      const isKeyTaken = isTakenIn(tables, transaction, child.item);
      const undo = tables.checkpoint();
      const reply = childStarts.startChildren(tables, [child], lease, 'inTransaction');
      undo();
      if (isKeyTaken) return { ...reply, children: [{ fate: 'exists', tags: null }] };
      if (reply.children[0]?.fate === 'started') {
        reserve(tables, transaction, child.item);
        transaction.onCommit(() => {
          childStarts.startChildren(tables, [child], lease, 'committed');
          this.tables.notify([payload]);
        });
      }
      return reply;
    });
  }

  attachChildren(attachments: readonly ChildAttachment[]): Promise<boolean[]> {
    return this.run((tables) => childStarts.attachChildren(tables, attachments));
  }

  markParent(id: string): Promise<void> {
    return this.run(({ executions }) => {
      const execution = executions.get(id);
      if (execution !== undefined) execution.unsettled |= END_CHILDREN;
    });
  }

  heldUpBy(id: string): Promise<string[]> {
    return this.run((tables) => children.heldUpBy(tables, id));
  }

  childEnds(ids: readonly string[]): Promise<ChildEnd[]> {
    return this.run(({ executions }) =>
      [...new Set(ids)].flatMap((id) => {
        const found = executions.get(id);
        if (found === undefined) return [];
        const { status, generation, parentExecutionId: parentId } = found;
        return [{ id, status, generation, parentId }];
      }),
    );
  }

  tellParents(ids: readonly string[], force = false, claims?: WakeClaims): Promise<WokenTask[]> {
    return this.run((tables) => children.tellParents(tables, ids, force, claims));
  }

  tellMissing(limit: number): Promise<WokenTask[]> {
    return this.run((tables) => children.tellMissing(tables, limit));
  }

  endChildren(id: string, reason: string, after: string | null): Promise<ChildrenPage> {
    return this.run((tables) => children.endChildren(tables, id, reason, after));
  }

  endItemChildren(map: ClaimKey, reason: string, after: string | null): Promise<ChildrenPage> {
    return this.run((tables) => children.endItemChildren(tables, map, reason, after));
  }

  childrenEnded(ids: readonly string[]): Promise<void> {
    return this.run((tables) => children.childrenEnded(tables, ids));
  }

  unsettled(limit: number, after: string | null): Promise<UnsettledEnd[]> {
    return this.run((tables) => children.unsettledOf(tables, limit, after));
  }

  tree(id: string, limit: number, statuses?: readonly string[]): Promise<TreeRow[]> {
    return this.run(({ executions }) => {
      const rows = [...executions.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
      const root = executions.get(id);
      const tree: TreeRow[] = root === undefined ? [] : [treeRow(root)];
      for (const parent of tree) {
        tree.push(...rows.filter((row) => row.parentExecutionId === parent.id).map(treeRow));
      }
      return tree.filter(({ status }) => statuses?.includes(status) !== false).slice(0, limit);
    });
  }
}

function treeRow(execution: MemoryExecution): TreeRow {
  const { id, workflow, status, depth, parentExecutionId, parentStep } = execution;
  return { id, parentId: parentExecutionId, step: parentStep, workflow, status, depth };
}
