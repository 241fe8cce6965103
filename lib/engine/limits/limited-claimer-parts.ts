import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { ClaimedTask, LimitStore, TaskKey } from '../../store/port/index.js';
import type { ClaimGate } from '../claims/claim-gate.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { EngineState } from '../engine-state.js';
import type { TenantQueue } from '../slots/tenant-queue.js';

/** What a {@link LimitedClaimer} works with. */
export interface LimitedClaimerParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly state: Pick<EngineState, 'mayClaim'>;
  readonly store: FailureClassifier & { readonly limits: LimitStore };
  readonly catalog: Pick<DefinitionCatalog, 'claimable' | 'limits' | 'joinedLimits'>;
  readonly queue: TenantQueue;
  readonly gate: ClaimGate;
  /** Tasks that must not be claimed by this process now. */
  readonly except: () => readonly TaskKey[];
  readonly consequences: LimitedConsequences;
}

/** What the tenant's engine does after a claim of tasks with a limit. */
export interface LimitedConsequences {
  adopt(task: ClaimedTask): void;
  /** Called when a claim has reserved its room, before it is sent. */
  reserved(): void;
  /** Called after a failure: the statement may have committed claims that this process does not know. */
  reconcile(): void;
  /**
   * Called when there may be more tasks than this process has room for.
   *
   * @param isNew - whether it had room for all of them before
   */
  leftReady(isNew: boolean): void;
  /** Called when this process can't claim what other processes may be able to claim. */
  cannotClaim(): void;
}
