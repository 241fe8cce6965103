/**
 * - `standby`: the process is not known to live, so others may take over what it claims. It starts here.
 * - `claiming`: it claims and begins tasks.
 * - `paused`: on request. It claims and begins nothing; what runs goes on.
 * - `pausedStandby`: the same, and the process is not known to live.
 * - `draining`: it claims and begins nothing, and a failure costs no attempt: tasks go back.
 * - `closed`: nothing is sent any more.
 */
export type EngineStateName =
  'standby' | 'claiming' | 'paused' | 'pausedStandby' | 'draining' | 'closed';

/** `live` and `away`: the process has its proof of life, or has lost it. The others are asked for. */
export type EngineStateEvent = 'live' | 'away' | 'pause' | 'resume' | 'drain' | 'close';

/**
 * What follows on what. A drain is not undone, and what comes during one changes nothing. The process tells all its
 * tenants whether it lives, also one that was closed a moment ago; all else that comes after the end is a mistake.
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
 * The life of one tenant's engine, and the one answer to whether it may claim. Apart from its states, its lease may be
 * under deletion for a moment, in any of them: nothing is claimed then, because the claim would have no lease.
 *
 * To be opened is no state: before that the catalog knows no definition that could be claimed.
 */
export class EngineState {
  private state: EngineStateName = 'standby';
  private releasing = false;

  /** @param changed - told after each event, with whether the engine may claim */
  constructor(private readonly changed: (mayClaim: boolean) => void) {}

  get name(): EngineStateName {
    return this.state;
  }

  get mayClaim(): boolean {
    return this.state === 'claiming' && !this.releasing;
  }

  /** Whether claimed tasks may begin. Also without a proof of life: what is claimed is held until others take it. */
  get mayBegin(): boolean {
    return this.state === 'claiming' || this.state === 'standby';
  }

  /** Whether it is at its end: claims go back, and a failure costs no attempt. */
  get isEnding(): boolean {
    return this.state === 'draining' || this.state === 'closed';
  }

  get isReleasing(): boolean {
    return this.releasing;
  }

  /** @throws Error for an event that the state has no way for */
  on(event: EngineStateEvent): void {
    const next = TRANSITIONS[this.state][event];
    if (next === undefined) throw new Error(`An engine that is ${this.state} can't ${event}.`);
    this.state = next;
    this.changed(this.mayClaim);
  }

  /** The deletion of the lease begins. @throws Error when one is under way */
  beginRelease(): void {
    if (this.releasing) throw new Error('The lease is being released already.');
    this.releasing = true;
    this.changed(this.mayClaim);
  }

  /** The deletion of the lease has ended. @throws Error when none was under way */
  endRelease(): void {
    if (!this.releasing) throw new Error('The lease is not being released.');
    this.releasing = false;
    this.changed(this.mayClaim);
  }
}
