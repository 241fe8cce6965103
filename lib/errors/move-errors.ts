import { CloacinaError } from './cloacina-error.js';
import { messageWithoutSecrets, withoutSecrets } from './without-secrets.js';

/** A tenant, and the two servers of its move. */
export interface MovePlaces {
  /** The schema of the tenant. */
  readonly schema: string;
  /** The name of the server that has the tenant. */
  readonly from: string;
  /** The name of the server to move to. */
  readonly to: string;
}

function describeMove({ schema, from, to }: MovePlaces): string {
  return `schema ${JSON.stringify(schema)} from server ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
}

/**
 * The tenant can't be moved as it is. It was found before anything stopped, and the tenant works on as before. `problems` lists
 * all obstacles.
 */
export class MoveNotPossibleError extends CloacinaError {
  /** The obstacles, each one or two sentences. */
  readonly problems: readonly string[];

  constructor(places: MovePlaces, problems: readonly string[], options?: ErrorOptions) {
    const shown = problems.map(withoutSecrets);
    super(
      'MOVE_NOT_POSSIBLE',
      `Moving ${describeMove(places)} is not possible:\n` +
        shown.map((problem, n) => `  ${n + 1}. ${problem}`).join('\n'),
      options,
    );
    this.problems = Object.freeze(shown);
  }
}

/**
 * A move did not come to its end. `isUndone` says whether the tenant lives on its old server as before; otherwise the next call
 * of the move undoes or finishes it.
 */
export class MoveFailedError extends CloacinaError {
  /** Whether the tenant works on its old server again, and the copy is dropped. */
  readonly isUndone: boolean;

  /**
   * @param why - the reason, as a clause
   * @param instead - what to do, as a sentence
   */
  constructor(
    places: MovePlaces,
    facts: { readonly why: string; readonly isUndone: boolean; readonly instead?: string },
    options?: ErrorOptions,
  ) {
    const { why, isUndone } = facts;
    const end = isUndone
      ? 'It was undone: the tenant works on its old server as before.'
      : 'The state of the move is kept in both servers.';
    const instead =
      facts.instead ??
      (isUndone
        ? 'Remove the cause and move the tenant again.'
        : 'Call it again: it undoes or finishes the move.');
    super(
      'MOVE_FAILED',
      withoutSecrets(`Moving ${describeMove(places)} failed: ${why}. ${end} ${instead}`),
      options,
    );
    this.isUndone = isUndone;
  }
}

/** The reason of a failure, as a clause. */
export function reasonOf(failure: unknown): string {
  return messageWithoutSecrets(failure).replace(/\.$/, '');
}
