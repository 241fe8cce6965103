/** What waits at a gate. */
export interface Waiting {
  /** Begins one of the reads that wait, if one may begin. Returns whether one has begun. */
  next(): boolean;
}

/**
 * Limits the reads of several groups together, so that pages leave connections of a small pool to the work. The group that was
 * served longest ago comes first.
 */
export class ReadGate {
  private busy = 0;
  private readonly groups: Waiting[] = [];

  /** @param size - how many reads may be under way; it may change */
  constructor(private readonly size: () => number) {}

  get hasRoom(): boolean {
    return this.busy < Math.max(1, this.size());
  }

  join(group: Waiting): void {
    this.groups.push(group);
  }

  enter(group: Waiting): void {
    this.busy++;
    const at = this.groups.indexOf(group);
    if (at >= 0) this.groups.push(...this.groups.splice(at, 1));
  }

  leave(): void {
    this.busy--;
    while (this.hasRoom && [...this.groups].some((group) => group.next()));
  }
}
