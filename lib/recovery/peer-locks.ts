import { WatchTurns } from './watch-turns.js';
import type { Clock } from '../runtime/clock.js';
import type { LivingLocks } from '../store/port/index.js';

/** How long a missing lock of unsure meaning is followed up, in milliseconds. */
export const SUSPICION_MS = 15_000;
/** Assumed time for which a lock was missing if this process has never seen it, in milliseconds. */
const UNSEEN_MS = 250;
/** How long a lock must be missing before its process is forgotten, in milliseconds. */
const FORGET_MS = 600_000;

/** The locks of the other processes, as this process has seen them: which are held, and which are missing. */
export class PeerLocks {
  private known = new Set<string>();
  /** Missing locks whose processes are not yet known to be lost or alive, and when each was first missed. */
  private readonly missingSince = new Map<string, number>();
  /** When each lock was last seen. */
  private readonly seen = new Map<string, number>();
  private isGone = false;
  private losses = 0;
  /** The backends of other processes with this login. */
  private mates = new Set<number>();
  private lookedAt = -Infinity;
  /** When this process looks at the locks, if the processes watch each other. */
  readonly turns: WatchTurns;

  /** @param onLiving - called when the number of the other processes has changed */
  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly onLiving: () => void = () => undefined,
  ) {
    this.turns = new WatchTurns(clock);
  }

  /** Number of locks that have gone missing so far. */
  get lossCount(): number {
    return this.losses;
  }

  /** Whether other processes with this login are known. */
  get hasMates(): boolean {
    return this.mates.size > 0;
  }

  /** Whether the backend holds the lock of another process with this login. */
  isMate(backend: number): boolean {
    return this.mates.has(backend);
  }

  /** Time since the latest look, in milliseconds. */
  get ageMs(): number {
    return this.clock.now() - this.lookedAt;
  }

  /** Whether other processes are known. */
  get hasPeers(): boolean {
    return this.known.size > 0 || this.missingSince.size > 0;
  }

  /** The locks of other processes that were held at the latest look. */
  get living(): ReadonlySet<string> {
    return this.known;
  }

  get anyMissing(): boolean {
    return this.missingSince.size > 0;
  }

  get missing(): string[] {
    return [...this.missingSince.keys()];
  }

  /** Updates the state with the locks that are held now. `own` is the lock of this process. */
  look(found: LivingLocks, own: string | null): void {
    const living = new Set(found.sessions);
    living.delete(own ?? '');
    const now = this.clock.now();
    this.lookedAt = now;
    this.turns.looked(found, own);
    this.mates = new Set(found.ofLogin.filter((key) => key !== own).map(backendOf));
    for (const key of this.known) {
      if (living.has(key) || this.missingSince.has(key)) continue;
      this.missingSince.set(key, now);
      this.isGone = true;
      this.losses++;
    }
    for (const [key, since] of this.missingSince) {
      if (living.has(key) || now - since > SUSPICION_MS) this.missingSince.delete(key);
    }
    for (const [key, at] of this.seen) if (now - at > FORGET_MS) this.seen.delete(key);
    for (const key of living) this.seen.set(key, now);
    const hasChanged = this.known.size !== living.size;
    this.known = living;
    if (hasChanged) this.onLiving();
  }

  /** Whether a lock went missing since the previous call. */
  takeGone(): boolean {
    const gone = this.isGone;
    this.isGone = false;
    return gone;
  }

  /** Treats the lock of a lease as missing, although this process has not seen it before. */
  suspect(key: string): void {
    if (!this.missingSince.has(key)) this.missingSince.set(key, this.clock.now());
  }

  /** Ends the follow-up of missing locks: their processes are known to live, or are recovered. */
  resolve(keys: Iterable<string>): void {
    for (const key of keys) this.missingSince.delete(key);
  }

  /** Time since this process last saw the lock, in milliseconds; an assumed time if it never did. */
  missingForMs(key: string): number {
    const seen = this.seen.get(key);
    return seen === undefined ? UNSEEN_MS : this.clock.now() - seen;
  }
}

/** The backend that holds the lock. */
function backendOf(session: string): number {
  return Number(session.slice(session.indexOf(':') + 1));
}
