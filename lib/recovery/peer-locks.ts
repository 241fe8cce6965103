import type { Clock } from '../runtime/clock.js';

/** How long a missing lock is looked into while it isn't certain what that means, in milliseconds. */
export const SUSPICION_MS = 15_000;
/** For a lock that has not been seen: about how long it takes until one is missed. */
const UNSEEN_MS = 250;
/** How long a lock must be unseen before its process is forgotten, in milliseconds. */
const FORGET_MS = 600_000;

/** The locks of the other processes, as far as this one has seen: who lives, and who is missing. */
export class PeerLocks {
  private known = new Set<string>();
  /** Gone and not accounted for, and when that was noticed. */
  private readonly missingSince = new Map<string, number>();
  /** When each was last seen. */
  private readonly seen = new Map<string, number>();
  private isGone = false;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /** Whether other processes are known. */
  get hasPeers(): boolean {
    return this.known.size > 0 || this.missingSince.size > 0;
  }

  get anyMissing(): boolean {
    return this.missingSince.size > 0;
  }

  get missing(): string[] {
    return [...this.missingSince.keys()];
  }

  /** Takes in what a look found; `own` is the lock of this process. */
  look(found: ReadonlySet<string>, own: string | null): void {
    const living = new Set(found);
    living.delete(own ?? '');
    const now = this.clock.now();
    for (const key of this.known) {
      if (living.has(key) || this.missingSince.has(key)) continue;
      this.missingSince.set(key, now);
      this.isGone = true;
    }
    for (const [key, since] of this.missingSince) {
      if (living.has(key) || now - since > SUSPICION_MS) this.missingSince.delete(key);
    }
    for (const [key, at] of this.seen) if (now - at > FORGET_MS) this.seen.delete(key);
    for (const key of living) this.seen.set(key, now);
    this.known = living;
  }

  /** Whether one has gone since this was last asked. */
  takeGone(): boolean {
    const gone = this.isGone;
    this.isGone = false;
    return gone;
  }

  /** There is a lease without a lock, of which it isn't certain what it means. */
  suspect(key: string): void {
    if (!this.missingSince.has(key)) this.missingSince.set(key, this.clock.now());
  }

  /** What it meant is known, and done. */
  resolve(keys: Iterable<string>): void {
    for (const key of keys) this.missingSince.delete(key);
  }

  /** Since the lock was last seen; if this process has never seen it, since it was first missed. */
  missingForMs(key: string): number {
    const seen = this.seen.get(key);
    return seen === undefined ? UNSEEN_MS : this.clock.now() - seen;
  }
}
