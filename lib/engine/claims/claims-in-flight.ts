/**
 * The statements that may claim and whose replies are not processed yet. Their claims reach the database before they
 * reach memory, so a comparison of the two waits for the statements that were under way during its read.
 */
export class ClaimsInFlight {
  private readonly underWay = new Set<Promise<void>>();

  get isBusy(): boolean {
    return this.underWay.size > 0;
  }

  /**
   * Call before a statement is sent. Call the returned function once, when its reply is processed.
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

  /** Resolves when the statements that are under way now have landed. It does not wait for later ones. */
  async landed(): Promise<void> {
    await Promise.all(this.underWay);
  }
}
