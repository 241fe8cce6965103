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
 * Number of executions that can't be read at which a lap ends: then the executions are hardly the cause, and each one
 * costs some twenty reads.
 */
const MAX_UNREADABLE = 100;
/** How long one call of the archive may take, in milliseconds. */
export const MAX_CALL_MS = 600_000;

/** The application's archive, and how the executions for it are read. */
export interface Archive {
  /** Reads executions in full. Those that no longer exist are left out. */
  read(ids: readonly string[]): Promise<readonly object[]>;
  /** Passes them to the application. */
  send(executions: readonly object[], signal: AbortSignal): Promise<void>;
}

/** The application's archive has failed, or too many executions can't be read for it; `cause` is the error. */
export class ArchiveFailure extends Error {}

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
}

export interface ArchiverParts {
  readonly clock: Clock;
  readonly store: Pick<RetentionStore, 'state' | 'trees'>;
  readonly archive: Archive;
}

/**
 * Sends the executions of trees to the archive, before they are deleted. A tree that was sent is deleted only in the version
 * that was sent: after a manual retry it is sent again.
 *
 * A read that fails is repeated in halves, so that one execution that can't be read keeps no others from the archive.
 */
export class Archiver {
  private unreadableCount = 0;

  constructor(private readonly parts: ArchiverParts) {}

  /**
   * Sends the trees that may be deleted. Others have executions that have not ended, or that must stay.
   *
   * @throws ArchiveFailure if the archive does not take them, or very many can't be read
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
    for (const part of inParts(ready)) {
      for (const [i, error] of (await this.archiveTrees(part, signal)).entries()) {
        const { id, generation, members } = part[i] as ReadyTree;
        if (error === undefined) archived.push({ id, generation, version: versionOf(members) });
        else unreadable.push({ id, error });
      }
    }
    return { archived, unreadable };
  }

  /** Returns for each tree why it could not be read. */
  private async archiveTrees(
    trees: readonly ReadyTree[],
    signal: AbortSignal,
  ): Promise<(ArchiveReadError | undefined)[]> {
    const ids = trees.flatMap(({ members }) => members.map(({ id }) => id));
    try {
      for (let at = 0; at < ids.length; at += MAX_ARCHIVED) {
        await this.archiveAll(ids.slice(at, at + MAX_ARCHIVED), trees.length === 1, signal);
      }
      return trees.map(() => undefined);
    } catch (error) {
      if (!(error instanceof ArchiveReadError)) throw error;
      if (trees.length === 1) {
        if (++this.unreadableCount < MAX_UNREADABLE) return [error];
        throw new ArchiveFailure('Too many executions can not be read.', { cause: error });
      }
      const middle = trees.length >> 1;
      const first = await this.archiveTrees(trees.slice(0, middle), signal);
      return [...first, ...(await this.archiveTrees(trees.slice(middle), signal))];
    }
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
      throw new ArchiveFailure('The archive has failed.', { cause });
    } finally {
      timer.cancel();
    }
  }
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
