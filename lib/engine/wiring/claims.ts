import { ClaimReconciler } from '../claims/claim-reconciler.js';
import { Claimer } from '../claims/claimer.js';
import { OrphanReceiver } from '../claims/orphan-receiver.js';
import { Abandonment } from '../execution/abandonment.js';
import { KeyPruner } from '../limits/key-pruner.js';
import { LimitedClaimer } from '../limits/limited-claimer.js';
import { LeaseRelease } from '../lease/lease-release.js';
import { WakeUps } from '../wake-ups.js';
import type { AdoptionRoom } from './adoption.js';
import type { CompletionRoom } from './completion.js';
import type { EngineCore } from './core.js';
import type { DefinitionsRoom } from './definitions.js';
import type { ExecutionRoom } from './execution.js';
import type { OutcomesRoom } from './outcomes.js';

export type ClaimsRoom = ReturnType<typeof wireClaims>;

export interface GroupsOfClaims {
  readonly definitions: DefinitionsRoom;
  readonly adoption: AdoptionRoom;
  readonly completion: CompletionRoom;
  readonly outcomes: OutcomesRoom;
  readonly execution: ExecutionRoom;
}

/** The ways to claims: due tasks, lost tasks of other processes, and claims that memory does not know. */
export function wireClaims(core: EngineCore, groups: GroupsOfClaims) {
  const { settings, store, services, clock, tenant, address, later } = core;
  const { state, events, claims, inFlight, lease, queue, gate, reconcile } = core;
  const { catalog, stranded } = groups.definitions;
  const { receiver } = groups.adoption;
  const { completer } = groups.outcomes;
  const { overruns } = groups.execution;
  const lookForOthers = (): void => void wakeUps.lookForOthers();
  /** Whether the process has claims, or statements under way that may make some. */
  const isBusy = (): boolean =>
    claims.size > 0 ||
    queue.reserved > 0 ||
    claimer.isClaiming ||
    limited.isClaiming ||
    reconciler.isPending;

  const abandonment = new Abandonment(store.recovery, claims, groups.completion.inputs, completer);
  const orphans = new OrphanReceiver({
    clock,
    tenant,
    catalog,
    gate,
    abandon: (orphan, definition) => abandonment.abandon(orphan, definition),
    events,
    definitionsUnknown: lookForOthers,
  });
  const reconciler = new ClaimReconciler({
    clock,
    tenant,
    store,
    claims,
    inFlight,
    maxRecoveryAttempts: settings.maxRecoveryAttempts,
    lease,
    orphans: () => orphans,
    wakeWorkers: (tasks) => wakeUps.wakeWorkers(tasks),
  });
  claims.onDoubt = () => reconciler.doubt();
  const claimer = new Claimer({
    clock,
    tenant,
    state,
    store,
    catalog,
    queue,
    gate,
    telemetry: core.telemetry,
    except: () => overruns.tasks(),
    isHeldBack: () => core.turns.isOfLimited,
    consequences: {
      adopt: (task) => receiver.fromRow(task),
      reconcile,
      tryAgainIn: (inMs) => services.schedule({ kind: 'task', tenant: address, inMs }),
      foundNothing: lookForOthers,
      leftReady: () => wakeUps.leftMore(),
      cannotClaim: () => wakeUps.cannotClaim(),
    },
  });
  const limited = new LimitedClaimer({
    clock,
    tenant,
    state,
    store,
    catalog,
    queue,
    gate,
    except: () => overruns.tasks(),
    consequences: {
      adopt: (task) => receiver.fromRow(task),
      reserved: () => core.turns.limitedHasReserved(),
      reconcile,
      leftReady: (isNew) => wakeUps.leftLimited(isNew),
      cannotClaim: () => wakeUps.cannotClaim(),
    },
  });
  claims.onSlotFree = (limitKey) => limited.slotFreed(limitKey);
  const wakeUps = new WakeUps({
    clock,
    address,
    queue,
    catalog,
    stranded,
    claimer,
    limited,
    admitter: {
      get admits() {
        return later.admitter.admits;
      },
      look: (areWaiting) => later.admitter.look(areWaiting),
    },
    overruns,
    services,
  });
  const release = new LeaseRelease({
    clock,
    state,
    store,
    lease,
    claims,
    isBusy,
    stillHeld: reconcile,
  });
  const keyPruner = new KeyPruner({ store, catalog });
  return { orphans, reconciler, claimer, limited, keyPruner, wakeUps, release, isBusy };
}
