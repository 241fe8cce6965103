import type { DeclaredPoller } from '../../discovery/poller-explorer.js';
import type { PollerContext } from '../../discovery/poller-types.js';
import type { TaskContext } from '../../discovery/task-context.js';
import { byLibrary } from '../../engine/execution/by-library.js';
import type { StartRequest } from '../../engine/starts/start-request.js';
import type { TenantEngine } from '../../engine/tenant-engine.js';
import {
  ContextTooLargeError,
  InvalidArgumentError,
  InvalidContextError,
  InvalidPollError,
} from '../../errors/index.js';
import type { ExecutionStarter } from '../execution-starter.js';
import { checkPollResult, type FoundStart } from './poll-result.js';

/** Executions of one statement. */
const MAX_STARTS = 2_000;
/** How soon a poll runs again whose cursor was set while it ran, in milliseconds. */
const AGAIN_MS = 10;

/** What came of a poll. It becomes the context of its execution. */
export interface PollSummary extends Record<string, unknown> {
  /** The number of different keys that the poll has returned. */
  readonly found: number;
  /** The number of executions that it has started. The keys of the others had executions already. */
  readonly started: number;
}

export interface PollsParts {
  readonly engine: Pick<TenantEngine, 'starts' | 'store'>;
  readonly starter: Pick<ExecutionStarter, 'definitionOf' | 'prepareTraced'>;
}

/** The name under which the cursor of a poller is kept. */
export function cursorName(poller: string): string {
  return `poller:${poller}`;
}

/**
 * Runs polls, each inside the transaction of its task. What the method writes, the cursor, the starts and the outcome of the
 * task commit together, so a poll that dies at any point has not happened.
 */
export class Polls {
  constructor(private readonly parts: PollsParts) {}

  /**
   * Calls the method, and stores its result. It locks the cursor only after the method has returned, so that
   * `setCursor` never waits for a method. If the cursor was set while the method ran, the transaction is rolled back and the
   * poll runs again, with the new cursor. So it does if one of the statements here fails for a reason that may pass: only what
   * the method does, and what it returns, costs an attempt.
   */
  async run(poller: DeclaredPoller, context: TaskContext): Promise<PollSummary> {
    const { manager } = context;
    const { states } = this.parts.engine.store;
    const name = cursorName(poller.name);
    const [state] = await byLibrary(context, () => states.read([name], manager));
    const seen = state?.value ?? null;
    const result = await poller.call(contextOf(poller, context, seen));
    const { starts, cursor } = checkPollResult(poller.name, result);
    if (cursor !== undefined && cursor !== seen) {
      const replace = (): Promise<boolean> => states.replace(name, cursor, seen, manager);
      await context.deferUntil(() => byLibrary(context, replace), { every: AGAIN_MS });
    }
    const started = await this.start(poller, starts, context);
    return { found: starts.length, started };
  }

  /** Starts the keys that have no execution yet. Returns the number of new executions. */
  private async start(
    poller: DeclaredPoller,
    starts: readonly FoundStart[],
    context: TaskContext,
  ): Promise<number> {
    if (starts.length === 0) return 0;
    const { engine, starter } = this.parts;
    // Before the first input: an unknown workflow is not the fault of an input.
    await byLibrary(context, () => starter.definitionOf(poller.workflow));
    let created = 0;
    for (let at = 0; at < starts.length; at += MAX_STARTS) {
      const requests: StartRequest[] = [];
      for (const found of starts.slice(at, at + MAX_STARTS)) {
        requests.push(await this.prepare(poller, found));
      }
      const send = () => engine.starts.startManyIn(context.manager, requests);
      const replies = await byLibrary(context, send);
      created += replies.filter((reply) => reply.created).length;
    }
    return created;
  }

  /** @throws InvalidPollError if an argument of the start is not valid */
  private async prepare(
    { name, workflow }: DeclaredPoller,
    { start: { key, input, ...options }, index }: FoundStart,
  ): Promise<StartRequest> {
    try {
      return await this.parts.starter.prepareTraced(workflow, input, {
        ...options,
        idempotencyKey: key,
      });
    } catch (error) {
      const field = fieldOf(error);
      if (field === undefined) throw error;
      const problem = `is refused: ${(error as Error).message}`.replace(/\.$/, '');
      throw new InvalidPollError(name, `starts[${index}].${field}`, problem, { cause: error });
    }
  }
}

function contextOf(
  { name }: DeclaredPoller,
  { tenant, manager, signal, attempt }: TaskContext,
  cursor: string | null,
): PollerContext {
  return {
    name,
    tenant,
    cursor: cursor === null ? undefined : (JSON.parse(cursor) as unknown),
    manager,
    signal,
    attempt,
  };
}

/** The member of a start that an error is about; undefined if it is not about the start. */
function fieldOf(error: unknown): string | undefined {
  if (error instanceof InvalidContextError || error instanceof ContextTooLargeError) return 'input';
  if (!(error instanceof InvalidArgumentError)) return undefined;
  return error.argument === 'idempotencyKey' ? 'key' : error.argument;
}
