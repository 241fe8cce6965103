import type { BulkFilter, BulkPosition } from '../../store/port/index.js';

/** What is done with each execution. */
export type BulkAct = {
  /** Who does it, for the history. */
  readonly actor?: string | null;
} & (
  | { readonly kind: 'cancel' | 'pause'; readonly reason: string | null }
  | { readonly kind: 'resume' | 'delete' }
  | { readonly kind: 'retry'; readonly steps: 'keep' | 'discard' }
  | {
      readonly kind: 'signal';
      readonly name: string;
      /** JSON text. */
      readonly payload: string;
      /** Null: the operation has a key of its own. */
      readonly idempotencyKey: string | null;
    }
);

/** A bulk call. */
export interface BulkOperation {
  readonly act: BulkAct;
  readonly filter: BulkFilter;
  /** Behind it are the executions that existed at the call. */
  readonly from: BulkPosition;
}

/** An operation as JSON: the input of the built-in workflow. */
export type StoredOperation = Omit<BulkOperation, 'filter'> & {
  readonly filter: Omit<BulkFilter, 'createdAfter' | 'createdBefore'> & {
    readonly createdAfter?: string | undefined;
    readonly createdBefore?: string | undefined;
  };
};

export function storeOperation({ filter, ...operation }: BulkOperation): StoredOperation {
  const { createdAfter, createdBefore, ...others } = filter;
  return {
    ...operation,
    filter: {
      ...withoutUndefined(others),
      ...(createdAfter === undefined ? {} : { createdAfter: createdAfter.toISOString() }),
      ...(createdBefore === undefined ? {} : { createdBefore: createdBefore.toISOString() }),
    },
  };
}

export function restoreOperation({ filter, ...operation }: StoredOperation): BulkOperation {
  const { createdAfter, createdBefore, ...others } = filter;
  return {
    ...operation,
    filter: {
      ...others,
      createdAfter: createdAfter === undefined ? undefined : new Date(createdAfter),
      createdBefore: createdBefore === undefined ? undefined : new Date(createdBefore),
    },
  };
}

/** JSON cannot carry undefined. */
function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
