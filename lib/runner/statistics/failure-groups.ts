import { createHash } from 'node:crypto';
import type { StoredError } from '../../errors/index.js';
import type { ExecutionSummary } from '../execution.js';
import type { FailureGroup } from './statistics-types.js';

/** Max number of examples of a group. */
const MAX_EXAMPLES = 10;
/** Max characters of a message that are compared. */
const MAX_MESSAGE = 300;

/** What differs between messages of one cause: ids, hashes, quoted values, addresses, numbers. */
const VARIABLE = [
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi,
  /"[^"]{1,200}"|'[^']{1,200}'|`[^`]{1,200}`/g,
  /\b(?=[0-9a-z_-]*\d)[0-9a-z_-]{8,}\b/gi,
  /\d+(?:[.,:]\d+)*/g,
];

const NO_ERROR: StoredError = { name: 'Error', message: '' };

/** The message with `…` in place of what differs between executions. */
export function normalizeMessage(message: string): string {
  const short = message.slice(0, MAX_MESSAGE);
  return VARIABLE.reduce((text, pattern) => text.replace(pattern, '…'), short);
}

/**
 * Groups Failed executions by workflow, task, name and code of the error, and its normalized message.
 *
 * @param executions - the newest first
 */
export function groupFailures(executions: readonly ExecutionSummary[]): FailureGroup[] {
  const groups = new Map<string, FailureGroup>();
  for (const { id, workflow, failedTask, error = NO_ERROR, completedAt, createdAt } of executions) {
    const message = normalizeMessage(error.message);
    const cause = [workflow, failedTask ?? null, error.name, error.code ?? null, message];
    const key = createHash('sha256').update(JSON.stringify(cause)).digest('base64url').slice(0, 22);
    const at = completedAt ?? createdAt;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, {
        id: key,
        workflow,
        ...(failedTask === undefined ? {} : { task: failedTask }),
        error,
        message,
        count: 1,
        firstAt: at,
        lastAt: at,
        examples: [id],
        filter: { ids: [id], status: 'Failed' },
      });
      continue;
    }
    group.count++;
    group.filter.ids.push(id);
    if (group.examples.length < MAX_EXAMPLES) group.examples.push(id);
    if (at < group.firstAt) group.firstAt = at;
    if (at > group.lastAt) group.lastAt = at;
  }
  return [...groups.values()].sort(
    (a, b) => b.count - a.count || b.lastAt.getTime() - a.lastAt.getTime(),
  );
}
