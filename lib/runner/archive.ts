import type { CloacinaRunner } from './cloacina-runner.js';
import type { Execution } from './execution.js';
import type { HistoryEntry } from './history-entry.js';

/** An ended execution with all that the library shows of it, as an {@link ArchiveSink} gets it. */
export interface ArchivedExecution extends Execution {
  /** As `runner.history()` returns it. */
  history: HistoryEntry[];
}

/** What an {@link ArchiveSink} may need besides the executions. */
export interface ArchiveContext {
  /** The name of the tenant. */
  readonly tenant: string;
  /** The tenant's runner. The executions still exist, so `results()` reads the items of their maps. */
  readonly runner: CloacinaRunner;
  /** Aborts at a shutdown, and when the call has taken ten minutes. */
  readonly signal: AbortSignal;
}

/**
 * Takes executions before they are deleted. If it throws or rejects, or does not return within ten minutes, nothing is deleted
 * in the tenant until a later call succeeds.
 *
 * @param executions - at most 200, those of one tree together if they are not more. An execution may come several times, in a
 *   later version if it was retried, so store them by their ids
 */
export type ArchiveSink = (
  executions: readonly ArchivedExecution[],
  context: ArchiveContext,
) => void | Promise<void>;

/** Number of histories that are read at a time. */
const AT_ONCE = 4;

/** Reads executions for the archive. Those that no longer exist are left out. */
async function readForArchive(
  runner: Pick<CloacinaRunner, 'get' | 'history'>,
  ids: readonly string[],
): Promise<ArchivedExecution[]> {
  const executions = await runner.get(ids, { stepResults: true });
  const found = executions.flatMap((execution) => execution ?? []);
  const archived: ArchivedExecution[] = [];
  for (let at = 0; at < found.length; at += AT_ONCE) {
    const part = found.slice(at, at + AT_ONCE);
    const histories = await Promise.all(part.map(({ id }) => runner.history(id)));
    for (const [i, execution] of part.entries()) {
      const history = histories[i];
      if (history !== undefined && history !== null) archived.push({ ...execution, history });
    }
  }
  return archived;
}

/** The archive of a tenant, for its engine. */
export function archiveOf(sink: ArchiveSink, tenant: string, runner: () => CloacinaRunner) {
  return {
    read: (ids: readonly string[]): Promise<readonly object[]> => readForArchive(runner(), ids),
    send: async (executions: readonly object[], signal: AbortSignal): Promise<void> => {
      const context = { tenant, runner: runner(), signal };
      if (executions.length > 0) await sink(executions as ArchivedExecution[], context);
    },
  };
}
