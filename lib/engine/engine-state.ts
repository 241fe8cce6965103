/**
 * - `standby`: the initial state. It claims nothing, because the process has no proof of life and others may take its
 *   claims. Tasks that it has claimed may begin.
 * - `claiming`: it claims and begins tasks.
 * - `paused`: it claims and begins nothing, on request. Running tasks continue.
 * - `pausedStandby`: paused, and without a proof of life.
 * - `draining`: it claims and begins nothing. Tasks go back, and a failure costs no attempt.
 * - `closed`: it no longer sends anything.
 */
export type EngineStateName =
  'standby' | 'claiming' | 'paused' | 'pausedStandby' | 'draining' | 'closed';

/** `live` and `away`: the process got or lost its proof of life. The other events are requests. */
export type EngineStateEvent = 'live' | 'away' | 'pause' | 'resume' | 'drain' | 'close';

/**
 * The next state for each state and event. Only a close ends a drain. A closed engine accepts `live` and `away`,
 * because the process sends them to all tenants, also to one that was closed a moment ago. Any other event is a bug
 * then.
 */
const TRANSITIONS: Record<EngineStateName, Partial<Record<EngineStateEvent, EngineStateName>>> = {
  standby: {
    live: 'claiming',
    away: 'standby',
    pause: 'pausedStandby',
    resume: 'standby',
    drain: 'draining',
    close: 'closed',
  },
  claiming: {
    live: 'claiming',
    away: 'standby',
    pause: 'paused',
    resume: 'claiming',
    drain: 'draining',
    close: 'closed',
  },
  paused: {
    live: 'paused',
    away: 'pausedStandby',
    pause: 'paused',
    resume: 'claiming',
    drain: 'draining',
    close: 'closed',
  },
  pausedStandby: {
    live: 'paused',
    away: 'pausedStandby',
    pause: 'pausedStandby',
    resume: 'standby',
    drain: 'draining',
    close: 'closed',
  },
  draining: {
    live: 'draining',
    away: 'draining',
    pause: 'draining',
    resume: 'draining',
    drain: 'draining',
    close: 'closed',
  },
  closed: { live: 'closed', away: 'closed', close: 'closed' },
};

/**
 * The state machine of one tenant's engine. It alone decides whether the engine may claim. In any state the lease may
 * be under deletion for a moment; the engine claims nothing then, because the claim would have no lease. In any state the
 * tenant may move to another server; the engine claims and begins nothing then.
 *
 * Being opened is not a state: before that, the catalog has no definition whose tasks could be claimed.
 */
export class EngineState {
  private state: EngineStateName = 'standby';
  private releasing = false;
  private moving = false;

  /** @param changed - called after each event, with whether the engine may claim */
  constructor(private readonly changed: (mayClaim: boolean) => void) {}

  get name(): EngineStateName {
    return this.state;
  }

  get mayClaim(): boolean {
    return this.state === 'claiming' && !this.releasing && !this.moving;
  }

  /**
   * Whether claimed tasks may begin. They may without a proof of life: a claim is valid until another process takes it.
   */
  get mayBegin(): boolean {
    return (this.state === 'claiming' || this.state === 'standby') && !this.moving;
  }

  /** Whether it is draining or closed: claims go back, and a failure costs no attempt. */
  get isEnding(): boolean {
    return this.state === 'draining' || this.state === 'closed';
  }

  /** Whether the tenant moves to another server, so that its work has to stop. */
  get isMoving(): boolean {
    return this.moving;
  }

  /** Call when a move stops the work of the tenant, and when the work may go on. */
  setMoving(moving: boolean): void {
    this.moving = moving;
    this.changed(this.mayClaim);
  }

  get isReleasing(): boolean {
    return this.releasing;
  }

  /** @throws Error for an event that is not allowed in the state */
  on(event: EngineStateEvent): void {
    const next = TRANSITIONS[this.state][event];
    if (next === undefined) throw new Error(`An engine that is ${this.state} can't ${event}.`);
    this.state = next;
    this.changed(this.mayClaim);
  }

  /** Call when a deletion of the lease begins. @throws Error if one is under way */
  beginRelease(): void {
    if (this.releasing) throw new Error('The lease is being released already.');
    this.releasing = true;
    this.changed(this.mayClaim);
  }

  /** Call when the deletion of the lease has ended. @throws Error if none was under way */
  endRelease(): void {
    if (!this.releasing) throw new Error('The lease is not being released.');
    this.releasing = false;
    this.changed(this.mayClaim);
  }
}
