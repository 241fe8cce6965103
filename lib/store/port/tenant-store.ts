import type { FailureClassifier } from '../../runtime/failure.js';
import type { ClaimStore } from './claims.js';
import type { ControlStore } from './control.js';
import type { DefinitionStore } from './definitions.js';
import type { ExecutionStore } from './executions.js';
import type { LeaseStore } from './leases.js';
import type { OutcomeStore } from './outcomes.js';
import type { RecoveryStore } from './recovery.js';
import type { StartStore } from './starts.js';
import type { TransactionStore } from './transactions.js';

/** Names one tenant to a session that works for many. Only the adapter looks into it. */
export interface TenantHandle {
  readonly schema: string;
}

/**
 * All that the engine asks of one tenant's schema, by roles. Each method is one statement or one transaction; none of
 * them retries, because the caller knows what else is waiting. A part of the engine takes the roles that it uses.
 */
export interface TenantStore
  extends
    FailureClassifier,
    StartStore,
    ClaimStore,
    OutcomeStore,
    TransactionStore,
    ExecutionStore,
    ControlStore,
    LeaseStore {
  readonly schema: string;
  readonly handle: TenantHandle;
  readonly definitions: DefinitionStore;
  readonly recovery: RecoveryStore;
}
