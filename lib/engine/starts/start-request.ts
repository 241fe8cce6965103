import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import type { AdmissionRequest, StartLimit } from '../../store/port/index.js';

/** What a caller asks to start, checked and encoded. */
export interface StartRequest {
  readonly id: string;
  readonly definition: RunnableDefinition;
  /** JSON text of the input context, and of each of its keys. */
  readonly input: string;
  readonly members: ReadonlyMap<string, string>;
  readonly priority: number;
  readonly runAt: Date | null;
  readonly delayMs: number | null;
  /** Until when the execution must begin. Null: at any time. */
  readonly startBefore: StartLimit | null;
  readonly idempotencyKey: string | null;
  /** JSON text; null without tags. */
  readonly tags: string | null;
  /** JSON text of the limit keys by task number; null without limits. */
  readonly limitKeys: string | null;
  /** The slot that the execution asks for; null without an admission. */
  readonly admission: AdmissionRequest | null;
  /** Whether the caller waits for the execution's end. */
  readonly isAwaited: boolean;
}

export interface Started {
  /** The execution's id; an earlier execution's if its idempotency key was taken, or if the start was skipped. */
  readonly id: string;
  readonly created: boolean;
  /** Number of roots that were claimed with it, in order. */
  readonly claims: number;
  /** Whether its row says that a caller waits for its end. */
  readonly hasWaiters: boolean;
}
