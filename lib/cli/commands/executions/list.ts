import type { ExecutionStatus } from '../../../index.js';
import type { CommandContext } from '../../command-context.js';
import { ExitCode } from '../../exit-code.js';
import { status } from '../../output/status.js';
import { table } from '../../output/table.js';
import { errorText, time } from '../../output/text.js';

interface ListOptions {
  readonly workflow?: string;
  readonly status?: ExecutionStatus[];
  readonly tag?: Record<string, string>;
  readonly key?: string;
  readonly waitingFor?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly limit: number;
  readonly cursor?: string;
}

/** Length of an error in the table. */
const MAX_ERROR = 80;

export function listExecutions(context: CommandContext, options: ListOptions): Promise<ExitCode> {
  const { workflow, status: statuses, tag, key, waitingFor, since, until, limit, cursor } = options;
  const filter = {
    limit,
    ...(workflow === undefined ? {} : { workflow }),
    ...(statuses === undefined ? {} : { status: statuses }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
    ...(waitingFor === undefined ? {} : { waitingFor }),
    ...(since === undefined ? {} : { createdAfter: since }),
    ...(until === undefined ? {} : { createdBefore: until }),
    ...(cursor === undefined ? {} : { cursor }),
  };
  return context.withTenant(async ({ runner }) => {
    const { items, nextCursor } = await runner.list(filter);
    return context.answer(
      { items, nextCursor },
      () => {
        if (items.length === 0) return 'No executions.';
        const rows = items.map((each) => [
          each.id,
          each.workflow,
          status(context, each.status),
          time(each.createdAt),
          time(each.completedAt),
          each.error === undefined
            ? (each.waitingFor?.detail ?? each.reason ?? '')
            : errorText(each.error, MAX_ERROR),
        ]);
        const head = ['id', 'workflow', 'status', 'created', 'ended', 'why'];
        const more = nextCursor === null ? '' : `\n\nMore: --cursor ${nextCursor}`;
        return table(context, head, rows) + more;
      },
      ExitCode.ok,
    );
  });
}
