import { toStoredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import {
  versionOf,
  type EndedExecutionRow,
  type ExpiredTree,
  type RetentionStore,
  type TreeMember,
} from '../../store/port/index.js';

/** Maximum number of executions in one call of the archive. */
const MAX_ARCHIVED = 200;
/**
 * Number of trees that can't be read one after the other at which a lap ends, and in all: then the executions are hardly the
 * cause, and each one costs some twenty reads.
 */
const MAX_UNREADABLE_IN_ROW = 100;
const MAX_UNREADABLE = 1_000;
/** How long one call of the archive may take, in milliseconds. */
export const MAX_CALL_MS = 600_000;

/** The application's archive, and how the executions for it are read. */
export interface Archive {
  /** Reads executions in full. Those that no longer exist are left out. */
  read(ids: readonly string[]): Promise<readonly object[]>;
  /** Passes them to the application. */
  send(executions: readonly object[], signal: AbortSignal): Promise<void>;
}

/** What the call of the archive that has failed was about, and what the lap knows by then. */
interface FailureFacts {
  /** The tops of the trees of the call. Empty if too many can't be read. */
  readonly sent: readonly string[];
  /** The tops of the trees that could not be read. */
  readonly unreadable: readonly string[];
}

/** The application's archive has failed, or too many executions can't be read for it; `cause` is the error. */
export class ArchiveFailure extends Error {
  readonly sent: readonly string[];
  readonly unreadable: readonly string[];

  constructor(message: string, cause: unknown, { sent, unreadable }: FailureFacts) {
    super(message, { cause });
    this.sent = sent;
    this.unreadable = unreadable;
  }
}

/** An execution could not be read for the archive; `cause` says why. */
export class ArchiveReadError extends Error {
  override readonly name = 'ArchiveReadError';

  constructor(id: string, cause: unknown) {
    super(
      `Execution ${id} could not be read for the archive, so its tree is kept: ${toStoredError(cause).message}`,
      { cause },
    );
  }
}

/** A tree that has ended, as it is sent. */
interface ReadyTree {
  readonly id: string;
  readonly generation: number;
  readonly members: readonly TreeMember[];
}

/** A tree that could not be read: the id of its top, and why. */
export interface UnreadableTree {
  readonly id: string;
  readonly error: ArchiveReadError;
}

/** What came of a call of {@link Archiver.take}. */
export interface ArchivedTrees {
  /** The trees that are in the archive. */
  readonly archived: readonly ExpiredTree[];
  readonly unreadable: readonly UnreadableTree[];
  /** Ends the lap, when what is in the archive is deleted. */
  readonly failure?: ArchiveFailure;
}

/** What is remembered of trees from one lap to the next. */
export interface ArchiverMemory {
  /** Whether the tree is sent in a call of its own, because a call with it has failed. */
  isAlone(top: string): boolean;
  /** Call when the tree is in the archive. */
  archived(top: string): void;
}

export interface ArchiverParts {
  readonly clock: Clock;
  readonly store: Pick<RetentionStore, 'state' | 'trees'>;
  readonly archive: Archive;
  readonly memory: ArchiverMemory;
}

/**
 * Sends the executions of trees to the archive, before they are deleted. A tree that was sent is deleted only in the version
 * that was sent: after a manual retry it is sent again.
 *
 * A read that fails is repeated in halves, so that one execution that can't be read keeps no others from the archive.
 */
export class Archiver {
  /** The tops of the trees that could not be read, and how many of the latest ones, one after the other. */
  private readonly unreadable: string[] = [];
  private inRow = 0;

  constructor(private readonly parts: ArchiverParts) {}

  /**
   * Sends the trees that may be deleted. Others have executions that have not ended, or that must stay. Stops with a `failure` if
   * the archive does not take some of them, or very many can't be read.
   */
  async take(due: readonly EndedExecutionRow[], signal: AbortSignal): Promise<ArchivedTrees> {
    const trees = new Map<string, TreeMember[]>();
    for (const member of await this.parts.store.trees(due.map(({ id }) => id))) {
      trees.set(member.top, [...(trees.get(member.top) ?? []), member]);
    }
    const ready = due.flatMap(({ id, generation }) => {
      const members = trees.get(id) ?? [];
      const isReady = members.length > 0 && members.every((member) => member.isReady);
      return isReady ? [{ id, generation, members }] : [];
    });
    const archived: ExpiredTree[] = [];
    const unreadable: UnreadableTree[] = [];
    const results: Results = {
      done: ({ id, generation, members }) => {
        this.inRow = 0;
        archived.push({ id, generation, version: versionOf(members) });
        this.parts.memory.archived(id);
      },
      unread: ({ id }, error) => {
        unreadable.push({ id, error });
        this.unreadable.push(id);
        this.inRow++;
      },
    };
    try {
      for (const part of this.inParts(ready)) await this.archiveTrees(part, results, signal);
    } catch (failure) {
      if (!(failure instanceof ArchiveFailure)) throw failure;
      return { archived, unreadable, failure };
    }
    return { archived, unreadable };
  }

  private async archiveTrees(
    trees: readonly ReadyTree[],
    results: Results,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.archiveTogether(trees, signal);
      for (const tree of trees) results.done(tree);
    } catch (error) {
      if (!(error instanceof ArchiveReadError)) throw error;
      const [only] = trees;
      if (trees.length === 1 && only !== undefined) {
        results.unread(only, error);
        const { inRow, unreadable } = this;
        if (inRow < MAX_UNREADABLE_IN_ROW && unreadable.length < MAX_UNREADABLE) return;
        const facts = { sent: [], unreadable };
        throw new ArchiveFailure('Too many executions can not be read.', error, facts);
      }
      const middle = trees.length >> 1;
      await this.archiveTrees(trees.slice(0, middle), results, signal);
      await this.archiveTrees(trees.slice(middle), results, signal);
    }
  }

  /** Archives trees in one call, or a tree that is larger in several. */
  private async archiveTogether(trees: readonly ReadyTree[], signal: AbortSignal): Promise<void> {
    const ids = trees.flatMap(({ members }) => members.map(({ id }) => id));
    try {
      for (let at = 0; at < ids.length; at += MAX_ARCHIVED) {
        await this.archiveAll(ids.slice(at, at + MAX_ARCHIVED), trees.length === 1, signal);
      }
    } catch (error) {
      if (!(error instanceof SendFailure)) throw error;
      const facts = { sent: trees.map(({ id }) => id), unreadable: this.unreadable };
      throw new ArchiveFailure('The archive has failed.', error.cause, facts);
    }
  }

  /**
   * Whole trees in parts of at most {@link MAX_ARCHIVED} executions. A larger tree is a part of its own, and so is one with which
   * a call has failed.
   */
  private inParts(trees: readonly ReadyTree[]): ReadyTree[][] {
    const { memory } = this.parts;
    const alone = trees.filter(({ id }) => memory.isAlone(id)).map((tree) => [tree]);
    // Those that are sent alone come last: one of them may end the lap.
    return [...inParts(trees.filter(({ id }) => !memory.isAlone(id))), ...alone];
  }

  /**
   * Reads and sends executions.
   *
   * @param inHalves - whether to repeat a read that fails in halves: together the members of a tree may be too large
   * @throws ArchiveReadError if one of them can't be read
   */
  private async archiveAll(
    ids: readonly string[],
    inHalves: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const { archive, store } = this.parts;
    let executions: readonly object[];
    try {
      executions = await archive.read(ids);
    } catch (error) {
      signal.throwIfAborted();
      // If the database does not answer this either, the executions are not the cause.
      const isAway = await store.state().then(
        () => false,
        () => true,
      );
      if (isAway) throw error;
      if (!inHalves || ids.length === 1) throw new ArchiveReadError(ids[0] ?? '', error);
      const middle = ids.length >> 1;
      await this.archiveAll(ids.slice(0, middle), true, signal);
      return this.archiveAll(ids.slice(middle), true, signal);
    }
    await this.send(executions, signal);
  }

  private async send(executions: readonly object[], signal: AbortSignal): Promise<void> {
    const { archive, clock } = this.parts;
    signal.throwIfAborted();
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const timer = clock.timer(() => {
      over.abort(new Error(`The archive has not returned after ${MAX_CALL_MS / 60_000} minutes.`));
    }, MAX_CALL_MS);
    try {
      await Promise.race([
        archive.send(executions, either),
        new Promise<never>((_, reject) => {
          either.addEventListener('abort', () => reject(either.reason as Error), { once: true });
        }),
      ]);
    } catch (cause) {
      // At a shutdown the archive has not failed.
      signal.throwIfAborted();
      throw new SendFailure('The archive has failed.', { cause });
    } finally {
      timer.cancel();
    }
  }
}

/** A call of the archive has failed; `cause` is the error. */
class SendFailure extends Error {}

/** Takes what becomes of each tree. */
interface Results {
  done(tree: ReadyTree): void;
  unread(tree: ReadyTree, error: ArchiveReadError): void;
}

/** Whole trees in parts of at most {@link MAX_ARCHIVED} executions. A larger tree is a part of its own. */
function inParts(trees: readonly ReadyTree[]): ReadyTree[][] {
  const parts: ReadyTree[][] = [];
  let size = Infinity;
  for (const tree of trees) {
    size += tree.members.length;
    if (size <= MAX_ARCHIVED) parts.at(-1)?.push(tree);
    else {
      parts.push([tree]);
      size = tree.members.length;
    }
  }
  return parts;
}
