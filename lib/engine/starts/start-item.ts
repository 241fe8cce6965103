import type { StartItem, StartLimit } from '../../store/port/index.js';
import { canRunRoots } from '../definitions/runnable-definition.js';
import type { StartRequest } from './starter.js';
import type { Clock } from '../../runtime/clock.js';

/** The items of a start statement. The first ones claim their root tasks, as far as there is room. */
export function withClaims(queued: readonly StartRequest[], room: number): StartItem[] {
  let left = room;
  return queued.map((request) => {
    const claims = Math.min(left, wantedClaims(request));
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
    claims,
    // A process with claims in the execution learns of its end by itself.
    hasWaiters: request.isAwaited && claims === 0,
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
