/** The contexts of a tracer in which code can run. */
export interface TraceScopes {
  /** Runs `work`, and records no spans of it. */
  suppress<T>(work: () => T): T;
  /** Runs `work` outside of the trace of the code that calls it. */
  detach<T>(work: () => T): T;
}

/** Of the process, as the tracer is: pools and drivers that several applications share can't tell them apart. */
let scopes: TraceScopes | undefined;

/** Sets the contexts for the rest of the process. */
export function traceWith(given: TraceScopes): void {
  scopes = given;
}

/**
 * Runs a statement of the library. Instrumentations of drivers make a span of each statement, and a statement that a timer
 * sends would be a trace of its own: an idle process would make some each second.
 */
export function untraced<T>(work: () => T): T {
  return scopes === undefined ? work() : scopes.suppress(work);
}

/** Runs what a timer or a notification has caused. Its async context may be that of a request that once set the timer. */
export function detached<T>(work: () => T): T {
  return scopes === undefined ? work() : scopes.detach(work);
}
