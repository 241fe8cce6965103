/**
 * The formats of stored definitions. A release that does not know a format leaves the definitions in it, and their
 * executions, to other processes. So a definition is stored in the oldest format that can express it: after an upgrade,
 * definitions without nodes keep their ids, and processes of the older release run them too.
 */

/** Workflows whose tasks all have handlers. */
const PLAIN_FORMAT = 1;
/** Workflows with nodes, which have no handlers. */
const NODE_FORMAT = 2;

/** The formats that this release reads. */
export const READABLE_FORMATS: readonly number[] = [PLAIN_FORMAT, NODE_FORMAT];

/** The format in which a definition with these tasks is stored. It is part of the hash. */
export function formatOf(tasks: readonly { readonly node?: unknown }[]): number {
  return tasks.some(({ node }) => node !== undefined) ? NODE_FORMAT : PLAIN_FORMAT;
}
