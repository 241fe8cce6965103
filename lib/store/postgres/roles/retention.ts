import { PostgresRole } from './postgres-role.js';
import { deleteExpired, deletionOf } from '../statements/delete-executions.js';
import { plainArray } from '../statements/encoding.js';
import { readTrees } from '../statements/expired-trees.js';
import { expireKeys, keepKeys } from '../statements/kept-keys.js';
import { holdExecution } from '../statements/legal-hold.js';
import {
  noteRetention,
  noteValues,
  readRetention,
  takeRetentionTurn,
} from '../statements/retention-turn.js';
import { keptSince, walkEnded, walkedPartOf, walkValues } from '../statements/walk-ended.js';
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
} from '../../port/index.js';

/** The deletion of ended executions when their time is over, on PostgreSQL. */
export class PostgresRetentionStore extends PostgresRole implements RetentionStore {
  async takeTurn(holder: string, holdMs: number, rules: RetentionRules): Promise<RetentionTurn> {
    const [turn] = await this.db.cold.run(takeRetentionTurn, [
      holder,
      holdMs,
      JSON.stringify(rules),
    ]);
    // The row was deleted between two reads of the statement: nothing is known, and the next try finds out.
    return turn ?? { isMine: false, heldForMs: 0, now: 0, rules: {}, failures: 0 };
  }

  async note(note: RetentionNote): Promise<void> {
    await this.db.cold.run(noteRetention, noteValues(note));
  }

  async state(): Promise<RetentionState | undefined> {
    const [state] = await this.db.cold.run(readRetention, []);
    return state;
  }

  async walk(walk: RetentionWalk): Promise<WalkedPart> {
    return walkedPartOf(await this.db.hot.run(walkEnded, walkValues(walk)));
  }

  async keptSince(workflow: string, count: number): Promise<number | null> {
    const [row] = await this.db.hot.run(keptSince, [workflow, count]);
    return row?.since ?? null;
  }

  trees(tops: readonly string[]): Promise<TreeMember[]> {
    return this.db.hot.run(readTrees, [plainArray(tops)]);
  }

  async delete(trees: readonly ExpiredTree[]): Promise<RetentionDeletion> {
    const rows = await this.db.hot.run(deleteExpired, [
      plainArray(trees.map(({ id }) => id)),
      plainArray(trees.map(({ generation }) => generation)),
      plainArray(trees.map(({ version }) => version)),
    ]);
    return deletionOf(rows);
  }

  async keepKeys(ids: readonly string[], keepMs: number): Promise<string[]> {
    const rows = await this.db.hot.run(keepKeys, [plainArray(ids), keepMs]);
    return rows.map(({ id }) => id);
  }

  async expireKeys(limit: number): Promise<number> {
    const [row] = await this.db.hot.run(expireKeys, [limit]);
    return row?.count ?? 0;
  }

  async hold(
    id: string,
    isHeld: boolean,
    reason: string | null,
    actor: string | null = null,
  ): Promise<HeldExecution | undefined> {
    const [row] = await this.db.hot.run(holdExecution, [id, isHeld, reason, actor]);
    return row;
  }
}
