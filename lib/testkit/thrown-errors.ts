/** Number of executions whose errors are remembered. */
const MAX_EXECUTIONS = 1_000;
/** Number of errors of one execution that are remembered. */
const MAX_ERRORS = 100;

/**
 * What handlers have thrown, by execution. A stored error has the name of its class only if the class sets it, so the matchers
 * compare classes with these.
 */
const thrown = new Map<string, Error[]>();

export function noteThrown(executionId: string, error: unknown): void {
  if (!(error instanceof Error)) return;
  const errors = thrown.get(executionId) ?? [];
  thrown.set(executionId, errors);
  errors.push(error);
  if (errors.length > MAX_ERRORS) errors.shift();
  const [oldest] = thrown.keys();
  if (thrown.size > MAX_EXECUTIONS && oldest !== undefined) thrown.delete(oldest);
}

/** The errors with this message. */
export function thrownBy(executionId: string, message: string): readonly Error[] {
  return (thrown.get(executionId) ?? []).filter((error) => error.message === message);
}
