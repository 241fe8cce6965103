/** Number of sweeps after which a tenant without signals and events is asked again. A round takes at most 15 s. */
const SWEEPS_BETWEEN_LOOKS = 20;

/**
 * Whether a tenant uses signals and events, as far as this process knows. Each relation in a sweep costs planning, so the
 * sweep reads the messages only of tenants that use them.
 *
 * A tenant uses them from the first call of this process on. Calls of other processes are noticed by their notifications.
 * In case all of them were lost, the first sweep and every twentieth look whether there is any message.
 */
export class MessageUse {
  private isUsed = false;
  private sweepsToSkip = 0;

  /** Call when this process stores or takes a message, or hears of one. */
  noted(): void {
    this.isUsed = true;
  }

  /** Whether the next sweep reads the messages. */
  get isAsked(): boolean {
    return this.isUsed || this.sweepsToSkip === 0;
  }

  /** Whether the next sweep has to find out if there is any message. */
  get isUnknown(): boolean {
    return !this.isUsed && this.sweepsToSkip === 0;
  }

  /** Call after a sweep, with what it found if it was asked to find out. */
  swept(isFound: boolean): void {
    if (isFound) this.isUsed = true;
    else if (this.sweepsToSkip > 0) this.sweepsToSkip--;
    else this.sweepsToSkip = SWEEPS_BETWEEN_LOOKS;
  }
}
