import type { Failure, FailureKind } from '../../runtime/failure.js';

const RETRYABLE: ReadonlySet<FailureKind> = new Set(['conflict', 'connection', 'passing']);

/** A statement that failed, as a server or the way to it can fail. Tests throw it to see what a caller makes of it. */
export class MemoryFailure extends Error implements Failure {
  override readonly name = 'MemoryFailure';
  readonly retryable: boolean;
  readonly mayBeWritten: boolean;
  readonly isLockTimeout: boolean;

  constructor(
    readonly kind: FailureKind,
    message: string = kind,
    /** Default: neither. */
    { mayBeWritten = false, isLockTimeout = false }: Partial<Failure> = {},
  ) {
    super(message);
    this.retryable = RETRYABLE.has(kind);
    this.mayBeWritten = mayBeWritten;
    this.isLockTimeout = isLockTimeout;
  }
}

/** What is none of this store's is a mistake in the code that uses it. */
export function classifyFailure(error: unknown): Failure {
  if (error instanceof MemoryFailure) return error;
  return { kind: 'bug', mayBeWritten: false, retryable: false, isLockTimeout: false };
}

/** PostgreSQL has no text with a NUL or half of a surrogate pair in it. */
const NO_TEXT = /[\0\p{Surrogate}]/u;

/**
 * Refuses texts that are not JSON, or not JSON that PostgreSQL can store.
 *
 * @throws MemoryFailure of kind `data`
 */
export function assertStorable(texts: readonly (string | null)[]): void {
  for (const text of texts) {
    if (text === null) continue;
    try {
      JSON.parse(text, (key, value: unknown) => {
        if (NO_TEXT.test(key) || (typeof value === 'string' && NO_TEXT.test(value))) {
          throw new SyntaxError('It has characters that no text can have.');
        }
        return value;
      });
    } catch (error) {
      throw new MemoryFailure('data', `This JSON cannot be stored. ${(error as Error).message}`);
    }
  }
}
