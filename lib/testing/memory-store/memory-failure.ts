import type { Failure, FailureKind } from '../../runtime/failure.js';

const RETRYABLE: ReadonlySet<FailureKind> = new Set(['conflict', 'connection', 'passing']);

/**
 * A failed statement, in any way that a server or the connection to it can fail. Tests throw it to check the caller's
 * reaction.
 */
export class MemoryFailure extends Error implements Failure {
  override readonly name = 'MemoryFailure';
  readonly retryable: boolean;
  readonly mayBeWritten: boolean;
  readonly isLockTimeout: boolean;

  constructor(
    readonly kind: FailureKind,
    message: string = kind,
    /** Both default to false. */
    { mayBeWritten = false, isLockTimeout = false }: Partial<Failure> = {},
  ) {
    super(message);
    this.retryable = RETRYABLE.has(kind);
    this.mayBeWritten = mayBeWritten;
    this.isLockTimeout = isLockTimeout;
  }
}

/** Any error that is not this store's own counts as a bug in the calling code. */
export function classifyFailure(error: unknown): Failure {
  if (error instanceof MemoryFailure) return error;
  return { kind: 'bug', mayBeWritten: false, retryable: false, isLockTimeout: false };
}

/** Text that PostgreSQL can't store: with a NUL, or with half of a surrogate pair. */
const NO_TEXT = /[\0\p{Surrogate}]/u;

/**
 * Rejects texts that are not valid JSON, or that PostgreSQL can't store.
 *
 * @throws MemoryFailure of kind `data`
 */
export function assertStorable(texts: readonly (string | null)[]): void {
  for (const text of texts) {
    if (text === null) continue;
    try {
      JSON.parse(text, (key, value: unknown) => {
        if (NO_TEXT.test(key) || (typeof value === 'string' && NO_TEXT.test(value))) {
          throw new SyntaxError('It contains characters that PostgreSQL cannot store.');
        }
        return value;
      });
    } catch (error) {
      throw new MemoryFailure('data', `This JSON cannot be stored. ${(error as Error).message}`);
    }
  }
}
