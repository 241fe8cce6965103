import type { StartItem, StartLimit } from '../../store/port/index.js';
import { canRunRoots } from '../definitions/runnable-definition.js';
import type { StartRequest } from './start-request.js';
import type { Clock } from '../../runtime/clock.js';

/** The items of a start statement. The first ones claim their root tasks, as far as there is room. */
export function withClaims(
  queued: readonly StartRequest[],
  room: number,
  claimsOf = wantedClaims,
): StartItem[] {
  let left = room;
  return queued.map((request) => {
    const claims = Math.min(left, claimsOf(request));
    left -= claims;
    return toStartItem(request, claims);
  });
}

/**
 * Number of root tasks that the start may claim: all of those without a limit, if they are due now and this process has the
 * handlers of all roots. None of a workflow that is paused.
 */
export function wantedClaims(request: StartRequest): number {
  if (request.runAt !== null || (request.delayMs ?? 0) > 0) return 0;
  const { definition } = request;
  // The instant may have passed when the database stores the start, so a claim of the usual kind decides.
  if (definition.isPaused() || (request.startBefore?.at ?? null) !== null) return 0;
  return canRunRoots(definition) ? definition.rootsToTake.length : 0;
}

export function keyOf(request: StartRequest): string {
  return JSON.stringify([request.definition.workflow.name, request.idempotencyKey]);
}

/** Identifies a start in a batch: by its idempotency key, or by itself without one. */
export function placeOf(request: StartRequest): string {
  return request.idempotencyKey === null ? request.id : keyOf(request);
}

export function toStartItem(request: StartRequest, claims: number): StartItem {
  return {
    id: request.id,
    plan: request.definition.plan,
    input: request.input,
    priority: request.priority,
    runAt: request.runAt,
    delayMs: request.delayMs,
    startBefore: request.startBefore,
    idempotencyKey: request.idempotencyKey,
    tags: request.tags,
    limitKeys: request.limitKeys,
    admission: request.admission,
    traceContext: request.traceContext,
    claims,
    // A process with claims in the execution learns of its end by itself. One that may wait for its turn has none.
    hasWaiters: request.isAwaited && (claims === 0 || request.admission !== null),
  };
}

/** Time until a start is due, in milliseconds. It only sets a timer: the database's clock decides what is due. */
export function delayOf({ runAt, delayMs }: StartRequest, clock: Pick<Clock, 'wallTime'>): number {
  return runAt === null ? (delayMs ?? 0) : runAt.getTime() - clock.wallTime();
}

/** Time until a start limit passes, in milliseconds. It only sets a timer, as {@link delayOf}. */
export function limitMs({ at, inMs }: StartLimit, clock: Pick<Clock, 'wallTime'>): number {
  return at === null ? (inMs ?? 0) : at.getTime() - clock.wallTime();
}
