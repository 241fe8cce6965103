import { rootKeysOf } from '../limits/limit-keys.js';
import { canRunRoots } from '../definitions/runnable-definition.js';
import { ExecutionStarts } from '../starts/execution-starts.js';
import { OpenKeys } from '../starts/open-keys.js';
import { delayOf, keyOf, limitMs } from '../starts/start-item.js';
import { BatchedStarts } from '../starts/batched-starts.js';
import { DebouncedStarts } from '../starts/debounced-starts.js';
import { Starter, type StartConsequences } from '../starts/starter.js';
import type { StartRequest } from '../starts/start-request.js';
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
  /** Until the next sweep only this process has a timer for an execution that asks for its slot later. */
  const asksIn = (inMs: number): void => {
    services.schedule({ kind: 'admission', tenant: address, inMs });
    services.askForWatch();
  };
  const dueIn = (ms: number, { admission }: StartRequest): void => {
    if (admission === null) later.wakeUps.dueIn(ms);
    else asksIn(ms);
  };
  /** What follows a start, also that of a child. */
  const started: StartConsequences = {
    created: ({ id, definition, tags, admission }) => {
      if (admission !== null) later.admitter.started(id, admission.key);
      events.executionStarted(id, definition.workflow.name, tags);
    },
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
    waits: (request) => {
      watchStartLimit(request);
      const delayMs = delayOf(request, clock);
      if (delayMs > 0) asksIn(delayMs);
      else if (request.admission !== null) later.admitter.ready([request.admission.key]);
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
    telemetry: core.telemetry,
  });
  const transactional = new TransactionalStarts({
    settings,
    store,
    gate,
    services,
    openKeys,
    events,
    consequences: { dueIn, startLimited: watchStartLimit, definitionsMissing },
  });
  const joined = {
    clock,
    tenant,
    startTimeoutMs: settings.startTimeoutMs,
    queuedBytes: services.queuedBytes,
    store,
    consequences: {
      created: (request: StartRequest) => started.created(request),
      dueIn,
      definitionsMissing,
    },
  };
  const debounced = new DebouncedStarts(joined);
  const batched = new BatchedStarts(joined);
  return { starts: new ExecutionStarts(starter, transactional, debounced, batched), started };
}
