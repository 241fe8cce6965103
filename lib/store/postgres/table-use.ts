/** Number of sweeps after which a tenant with an empty table is asked again. A round takes at most 15 s. */
const SWEEPS_BETWEEN_LOOKS = 20;

/**
 * Whether a tenant uses a table that most tenants do not use (messages, schedules), as far as this process knows. Each
 * relation in a sweep costs planning, so the sweep reads such a table only of tenants that use it.
 *
 * A tenant uses it from the first call of this process on. Calls of other processes are noticed by their notifications. In
 * case all of them were lost, the first sweep and every twentieth look whether there is any row.
 */
export class TableUse {
  private isUsed = false;
  private sweepsToSkip = 0;

  /** Call when this process writes or reads the table for a caller, or is notified of a row. */
  noted(): void {
    this.isUsed = true;
  }

  /** Whether the next sweep reads the table. */
  get isAsked(): boolean {
    return this.isUsed || this.sweepsToSkip === 0;
  }

  /** Whether the next sweep has to find out if there is any row. */
  get isUnknown(): boolean {
    return !this.isUsed && this.sweepsToSkip === 0;
  }

  /** Call after a sweep, with its finding if it was asked for one. */
  swept(isFound: boolean): void {
    if (isFound) this.isUsed = true;
    else if (this.sweepsToSkip > 0) this.sweepsToSkip--;
    else this.sweepsToSkip = SWEEPS_BETWEEN_LOOKS;
  }
}
