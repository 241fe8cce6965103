import type { ClaimBatch } from '../port/index.js';

/** A batch under way: its number, and the handle for its claims once their number is known. */
export interface OpenBatch {
  readonly no: number;
  /** Numbers of batches whose claims have all ended. The statement deletes them. */
  readonly ended: readonly number[];
  /** Call when the statement is stored. Returns undefined if it made no claims. */
  stored(claims: number): ClaimBatch | undefined;
  /** Call when the statement has failed, or its effect is not known: another statement deletes the ended batches. */
  failed(): void;
}

/**
 * Numbers the statements with which this process claims, and collects those whose claims have all ended. A claim whose
 * end in the database is not certain stays counted; `forgetBatches` deletes its batch later.
 */
export class ClaimBatches {
  private last = 0;
  private ended: number[] = [];

  /** @param deletes - whether the statement deletes ended batches */
  open(deletes = false): OpenBatch {
    const no = ++this.last;
    const ended = deletes ? this.ended : [];
    if (deletes) this.ended = [];
    return {
      no,
      ended,
      stored: (claims) => (claims === 0 ? undefined : this.batchOf(no, claims)),
      failed: () => {
        this.ended.push(...ended);
      },
    };
  }

  private batchOf(no: number, claims: number): ClaimBatch {
    let left = claims;
    return {
      claimEnded: () => {
        if (--left === 0) this.ended.push(no);
      },
    };
  }
}
