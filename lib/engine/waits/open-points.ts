/**
 * The durable points of a run that have not settled. Their rejections are handled here too, so a point that the handler does
 * not await can't end the process by an unhandled rejection.
 */
export class OpenPoints {
  private readonly inFlight = new Set<Promise<unknown>>();

  get isBusy(): boolean {
    return this.inFlight.size > 0;
  }

  /** Adds a point, and returns it. */
  add<P extends Promise<unknown>>(point: P): P {
    const settled = (): boolean => this.inFlight.delete(point);
    this.inFlight.add(point);
    point.then(settled, settled);
    return point;
  }

  /** Resolves when no point is in flight. Rejects with the first failure of those in flight now. */
  async whenSettled(): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    while (this.inFlight.size > 0) {
      for (const result of await Promise.allSettled(this.inFlight)) {
        if (result.status === 'rejected') failure ??= { error: result.reason };
      }
    }
    if (failure !== undefined) throw failure.error;
  }
}
