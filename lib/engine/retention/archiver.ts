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
/** How long one call of the archive may take, in milliseconds. */
export const MAX_CALL_MS = 600_000;

/** The application's archive, and how the executions for it are read. */
export interface Archive {
  /** Reads executions in full. Those that do not exist any more are left out. */
  read(ids: readonly string[]): Promise<readonly object[]>;
  /** Passes them to the application. */
  send(executions: readonly object[], signal: AbortSignal): Promise<void>;
}

/** The application's archive has failed; `cause` is its error. */
export class ArchiveFailure extends Error {}

export interface ArchiverParts {
  readonly clock: Clock;
  readonly store: Pick<RetentionStore, 'trees'>;
  readonly archive: Archive;
}

/**
 * Sends the executions of trees to the archive, before they are deleted. A tree that was sent is deleted only in the version
 * that was sent: after a manual retry it is sent again.
 */
export class Archiver {
  constructor(private readonly parts: ArchiverParts) {}

  /**
   * Returns the trees that are in the archive. Others have executions that have not ended, or that must stay.
   *
   * @throws ArchiveFailure if the archive does not take them
   */
  async take(due: readonly EndedExecutionRow[], signal: AbortSignal): Promise<ExpiredTree[]> {
    const trees = new Map<string, TreeMember[]>();
    for (const member of await this.parts.store.trees(due.map(({ id }) => id))) {
      trees.set(member.top, [...(trees.get(member.top) ?? []), member]);
    }
    const ready = due.flatMap(({ id, generation }) => {
      const members = trees.get(id) ?? [];
      const isReady = members.length > 0 && members.every((member) => member.isReady);
      return isReady ? [{ id, generation, members }] : [];
    });
    const ids = ready.flatMap(({ members }) => members.map((member) => member.id));
    for (let at = 0; at < ids.length; at += MAX_ARCHIVED) {
      signal.throwIfAborted();
      await this.send(ids.slice(at, at + MAX_ARCHIVED), signal);
    }
    return ready.map(({ id, generation, members }) => {
      return { id, generation, version: versionOf(members) };
    });
  }

  private async send(ids: readonly string[], signal: AbortSignal): Promise<void> {
    const { archive, clock } = this.parts;
    const executions = await archive.read(ids);
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
