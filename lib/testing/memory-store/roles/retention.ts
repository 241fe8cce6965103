import { MemoryRole } from './memory-role.js';
import { membersOf } from '../memory-deletion.js';
import {
  deleteExpired,
  expireKeys,
  hold,
  keepKeys,
  keptSince,
  note,
  takeTurn,
  walk,
} from '../memory-retention.js';
import type {
  ExpiredTree,
  HeldExecution,
  RetentionDeletion,
  RetentionNote,
  RetentionRules,
  RetentionState,
  RetentionStore,
  RetentionTurn,
  RetentionWalk,
  TreeMember,
  WalkedPart,
} from '../../../store/port/index.js';

/** The deletion of ended executions when their time is over, in memory. */
export class MemoryRetentionStore extends MemoryRole implements RetentionStore {
  takeTurn(holder: string, holdMs: number, rules: RetentionRules): Promise<RetentionTurn> {
    return this.run((tables) => takeTurn(tables, holder, holdMs, rules));
  }

  note(noted: RetentionNote): Promise<void> {
    return this.run((tables) => note(tables, noted));
  }

  state(): Promise<RetentionState | undefined> {
    return this.run(({ retention }) => {
      if (retention === undefined) return undefined;
      const { lapAt, deleted, failures, failure, failedAt } = retention;
      return { lapAt, deleted, failures, failure, failedAt };
    });
  }

  walk(part: RetentionWalk): Promise<WalkedPart> {
    return this.run((tables) => walk(tables, part));
  }

  keptSince(workflow: string, count: number): Promise<number | null> {
    return this.run((tables) => keptSince(tables, workflow, count));
  }

  trees(tops: readonly string[]): Promise<TreeMember[]> {
    return this.run((tables) => [...new Set(tops)].sort().flatMap((top) => membersOf(tables, top)));
  }

  delete(trees: readonly ExpiredTree[]): Promise<RetentionDeletion> {
    return this.run((tables) => deleteExpired(tables, trees));
  }

  keepKeys(ids: readonly string[], keepMs: number): Promise<string[]> {
    return this.run((tables) => keepKeys(tables, ids, keepMs));
  }

  expireKeys(limit: number): Promise<number> {
    return this.run((tables) => expireKeys(tables, limit));
  }

  hold(
    id: string,
    isHeld: boolean,
    reason: string | null,
    actor: string | null = null,
  ): Promise<HeldExecution | undefined> {
    return this.run((tables) => hold(tables, id, isHeld, { reason, actor }));
  }
}
