/**
 * Statements that may claim and whose replies are not processed yet. What such a statement claims is in the database
 * before it is in memory, so a comparison of the two waits for those that were under way when it read.
 */
export class ClaimsInFlight {
  private readonly underWay = new Set<Promise<void>>();

  get isBusy(): boolean {
    return this.underWay.size > 0;
  }

  /**
   * From the sending of a statement to the end of the processing of its reply. Call the function that it returns at the
   * end, once.
   */
  begin(): () => void {
    let landed: () => void = () => undefined;
    const flight = new Promise<void>((resolve) => (landed = resolve));
    this.underWay.add(flight);
    return () => {
      this.underWay.delete(flight);
      landed();
    };
  }

  /** Resolves when everything that is under way now has landed; what begins later is not waited for. */
  async landed(): Promise<void> {
    await Promise.all(this.underWay);
  }
}
