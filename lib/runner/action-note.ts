import { randomUUID } from 'node:crypto';
import type { ActionKind, ActionNote } from '../store/port/index.js';

/**
 * Makes the notes of one call of an actor; null records nothing. Whatever the call sends has the same id, so it is recorded once,
 * also if a reply is lost and the call is sent again.
 */
export function noteOf(
  actor: string | null,
): (kind: ActionKind, reason?: string | null) => ActionNote | null {
  const callId = randomUUID();
  return (kind, reason = null) => (actor === null ? null : { callId, kind, actor, reason });
}
