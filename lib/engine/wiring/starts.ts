import { rootKeysOf } from '../limits/limit-keys.js';
import { canRunRoots } from '../definitions/runnable-definition.js';
import { ExecutionStarts } from '../starts/execution-starts.js';
import { OpenKeys } from '../starts/open-keys.js';
import { delayOf, keyOf, limitMs } from '../starts/start-item.js';
import { Starter, type StartConsequences, type StartRequest } from '../starts/starter.js';
import { TransactionalStarts } from '../starts/transactional-starts.js';
import type { AdoptionRoom } from './adoption.js';
import type { EngineCore } from './core.js';
import type { DefinitionsRoom } from './definitions.js';

export type StartsRoom = ReturnType<typeof wireStarts>;

/** Starts of executions, alone and in callers' transactions. */
export function wireStarts(
  core: EngineCore,
  { definitionsMissing }: DefinitionsRoom,
  { receiver }: AdoptionRoom,
) {
  const { settings, store, services, clock, tenant, address, events, gate, later, reconcile } =
    core;
  const watchStartLimit = ({ startBefore }: StartRequest): void => {
    if (startBefore === null) return;
    services.schedule({ kind: 'deadline', tenant: address, inMs: limitMs(startBefore, clock) });
  };
  /** What follows a start, also that of a child. */
  const started: StartConsequences = {
    created: ({ id, definition, tags }) =>
      events.executionStarted(id, definition.workflow.name, tags),
    claimed: (request, count, batch) => receiver.fromStart(request, count, batch),
    leftReady: (request, roots) => {
      watchStartLimit(request);
      const delayMs = delayOf(request, clock);
      // A resume claims them.
      if (delayMs <= 0 && request.definition.isPaused()) return;
      const keys = rootKeysOf(request.definition, request.limitKeys);
      if (keys.length > 0 && delayMs <= 0) later.limited.ready(keys);
      if (keys.length === roots && delayMs <= 0 && canRunRoots(request.definition)) return;
      if (delayMs > 0) later.wakeUps.dueIn(delayMs);
      else if (canRunRoots(request.definition)) later.wakeUps.leftHere(roots);
      else later.wakeUps.wakeWorkers(roots);
    },
    mayBeWritten: reconcile,
    definitionsMissing,
  };
  const openKeys = new OpenKeys();
  const starter = new Starter({
    clock,
    tenant,
    store,
    gate,
    startTimeoutMs: settings.startTimeoutMs,
    queuedBytes: services.queuedBytes,
    isHeldHere: (request) => openKeys.isHeld(keyOf(request)),
    consequences: started,
  });
  const transactional = new TransactionalStarts({
    settings,
    store,
    gate,
    services,
    openKeys,
    events,
    consequences: {
      dueIn: (ms) => later.wakeUps.dueIn(ms),
      startLimited: watchStartLimit,
      definitionsMissing,
    },
  });
  return { starts: new ExecutionStarts(starter, transactional), started };
}
